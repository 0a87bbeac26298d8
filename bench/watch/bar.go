package watch

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/report/text"
)

// bar is one line that is drawn anew.
type bar struct {
	w   io.Writer
	bar *progressbar.ProgressBar
}

func (b *bar) Started(planned, done int, _ time.Duration) {
	b.bar = progressbar.NewOptions(planned,
		progressbar.OptionSetWriter(b.w), progressbar.OptionSetWidth(24),
		progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish(),
		progressbar.OptionShowCount(), progressbar.OptionSetElapsedTime(false),
		progressbar.OptionUseANSICodes(true))
	_ = b.bar.Add(done)
}

func (b *bar) TrialStarted(t experiment.PlannedTrial, left time.Duration) {
	b.bar.Describe(fmt.Sprintf("%s left · block %d · %s %s", text.InWords(left), t.Block+1, t.Variant.Name, cmp.Or(t.Level.Label, t.Level.Name)))
}

func (b *bar) TrialEnded(t results.Trial, _ time.Duration) {
	if t.Outcome != results.OutcomeOK {
		b.Note(trialNote(t))
	}
	_ = b.bar.Add(1)
}

func (b *bar) Live(experiment.Live) {}

func (b *bar) Note(note string) {
	b.Close()
	fmt.Fprintln(b.w, note)
}

func (b *bar) Close() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}
