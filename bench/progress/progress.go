// Package progress shows a person how a run goes: in a terminal a bar, and of a
// service under load a block of lines that is redrawn in place; elsewhere, as
// in the log of a CI server, a line now and then.
package progress

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
	// Service reports that the run is of a service under load.
	Service bool

	// Tests set these; nil means those of the process.
	getenv     func(string) string
	isTerminal func(*os.File) bool
}

// IsTerminal reports whether a file is a terminal.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Styled reports whether a terminal may get escape sequences: not one that
// cannot interpret them (TERM=dumb), and not the pseudo-terminal that some CI
// servers give their jobs, whose output is a log. CI servers set CI; "false" and
// "0" count as not set.
func Styled(getenv func(string) string) bool {
	switch getenv("CI") {
	case "", "false", "0":
		return getenv("TERM") != "dumb"
	}
	return false
}

// New returns a view.
func New(o Options) View {
	if o.getenv == nil {
		o.getenv = os.Getenv
	}
	if o.isTerminal == nil {
		o.isTerminal = IsTerminal
	}
	f, ok := o.To.(*os.File)
	inPlace := ok && Styled(o.getenv) && o.isTerminal(f)
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
		return newBlock(f, size, o.getenv("NO_COLOR") == "")
	case inPlace:
		return &bar{w: f}
	}
	return newPlain(o.To, o.Service)
}

// silent says nothing.
type silent struct{}

func (silent) Started(int, int, time.Duration)                       {}
func (silent) TrialStarted(experiment.ScheduledTrial, time.Duration) {}
func (silent) TrialEnded(results.Trial, time.Duration)               {}
func (silent) Live(experiment.Live)                                  {}
func (silent) Note(string)                                           {}
func (silent) Close()                                                {}

func trialNote(t results.Trial) string {
	return fmt.Sprintf("trial %d, %s %s: %s: %s", t.Index, t.Variant, t.LevelName, t.Outcome, t.Reason)
}
