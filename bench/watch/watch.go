// Package watch shows a person how a run goes: in a terminal a bar, and of a
// service under load a block of lines that is drawn anew in place; elsewhere a
// line now and then.
package watch

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"floodgate/bench/experiment"
	"floodgate/results"
)

// View shows a run.
type View interface {
	experiment.Progress
	// Close clears what is drawn in place, and must come before anything else
	// is written there.
	Close()
}

// Options of a View.
type Options struct {
	// To is written to; what it is decides what is shown.
	To io.Writer
	// Quiet shows nothing.
	Quiet bool
	// Service says that the run is of a service under load.
	Service bool
}

// New returns a view.
func New(o Options) View {
	f, ok := o.To.(*os.File)
	inPlace := ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
	switch {
	case o.Quiet:
		return silent{}
	case inPlace && o.Service:
		size := func() (int, int) {
			columns, rows, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 80, 24
			}
			return columns, rows
		}
		return newBlock(f, size, os.Getenv("NO_COLOR") == "")
	case inPlace:
		return &bar{w: f}
	}
	return newPlain(o.To, o.Service)
}

// silent says nothing.
type silent struct{}

func (silent) Started(int, int, time.Duration)                     {}
func (silent) TrialStarted(experiment.PlannedTrial, time.Duration) {}
func (silent) TrialEnded(results.Trial, time.Duration)             {}
func (silent) Live(experiment.Live)                                {}
func (silent) Note(string)                                         {}
func (silent) Close()                                              {}

func trialNote(t results.Trial) string {
	return fmt.Sprintf("trial %d, %s %s: %s: %s", t.Index, t.Variant, t.LevelName, t.Outcome, t.Reason)
}
