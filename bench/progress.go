package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"floodgate/bench/experiment"
	"floodgate/results"
)

// plainEvery is how often a run that is not watched in a terminal says how far it is.
const plainEvery = 10 * time.Second

// newProgress shows a bar in a terminal and a line now and then elsewhere.
func newProgress(w io.Writer, quiet bool) experiment.Progress {
	switch f, ok := w.(*os.File); {
	case quiet:
		return silent{}
	case ok && term.IsTerminal(int(f.Fd())):
		return &bar{w: w}
	default:
		return &plain{w: w}
	}
}

// bar is one line that is drawn anew.
type bar struct {
	w       io.Writer
	bar     *progressbar.ProgressBar
	planned int
}

func (b *bar) Started(planned, done int, left time.Duration) {
	b.planned = planned
	b.bar = progressbar.NewOptions(planned,
		progressbar.OptionSetWriter(b.w), progressbar.OptionSetWidth(24),
		progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish(),
		progressbar.OptionShowCount(), progressbar.OptionSetElapsedTime(false),
		progressbar.OptionUseANSICodes(true))
	_ = b.bar.Add(done)
}

func (b *bar) TrialStarted(t experiment.PlannedTrial, left time.Duration) {
	b.bar.Describe(fmt.Sprintf("%s left · block %d · %s %s", inWords(left), t.Block+1, t.Variant.Name, t.Level.Name))
}

func (b *bar) TrialEnded(t results.Trial, left time.Duration) {
	if t.Outcome != results.OutcomeOK {
		b.Note(trialNote(t))
	}
	_ = b.bar.Add(1)
}

func (b *bar) Note(text string) {
	_ = b.bar.Clear()
	fmt.Fprintln(b.w, text)
}

// plain is for logs.
type plain struct {
	w             io.Writer
	planned, done int
	last          time.Time
}

func (p *plain) Started(planned, done int, left time.Duration) {
	p.planned, p.done, p.last = planned, done, time.Now()
	fmt.Fprintf(p.w, "%d trials, %d of them done, about %s\n", planned, done, inWords(left))
}

func (p *plain) TrialStarted(experiment.PlannedTrial, time.Duration) {}

func (p *plain) TrialEnded(t results.Trial, left time.Duration) {
	p.done++
	if t.Outcome != results.OutcomeOK {
		p.Note(trialNote(t))
	}
	if time.Since(p.last) < plainEvery {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(p.w, "%d of %d trials, block %d, %s left\n", p.done, p.planned, t.Block+1, inWords(left))
}

func (p *plain) Note(text string) { fmt.Fprintln(p.w, text) }

// silent says nothing.
type silent struct{}

func (silent) Started(int, int, time.Duration)                     {}
func (silent) TrialStarted(experiment.PlannedTrial, time.Duration) {}
func (silent) TrialEnded(results.Trial, time.Duration)             {}
func (silent) Note(string)                                         {}

func trialNote(t results.Trial) string {
	return fmt.Sprintf("trial %d, %s %s: %s: %s", t.Index, t.Variant, t.LevelName, t.Outcome, t.Reason)
}

// inWords writes a duration as a person reads it: "1 min 5 s".
func inWords(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	if s < 60 {
		return fmt.Sprintf("%d s", s)
	}
	return fmt.Sprintf("%d min %d s", s/60, s%60)
}
