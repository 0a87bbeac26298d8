// Package progress shows a person the progress of a run:
//
//	v := progress.New(progress.Options{To: os.Stderr})
//	defer v.Close()
//	runner.Progress = v
//
// In a terminal it draws a bar or, for a service under load, a block of lines in place.
// Elsewhere, as in the log of a CI server, it prints a line every few seconds.
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
	// Close erases the lines drawn in place. Call it before writing to the same terminal.
	Close()
}

// Options of a View.
type Options struct {
	// To receives the output. The View draws in place if it is a terminal.
	To io.Writer
	// Quiet shows nothing.
	Quiet bool
	// Service selects the view of a service under load.
	Service bool

	// Tests set these functions; nil means those of the process.
	getenv     func(string) string
	isTerminal func(*os.File) bool
}

// IsTerminal reports whether a file is a terminal.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Styled reports whether a terminal interprets escape sequences. It returns false for
// TERM=dumb and for the pseudo-terminals of CI servers, whose output is a log. CI servers
// set CI; "false" and "0" count as unset.
func Styled(getenv func(string) string) bool {
	switch getenv("CI") {
	case "", "false", "0":
		return getenv("TERM") != "dumb"
	}
	return false
}

// New returns the View that suits the options.
func New(o Options) View {
	f, inPlace := o.inPlace()
	switch {
	case o.Quiet:
		return silent{}
	case inPlace && o.Service:
		return newBlock(f, sizeOf(f), o.getenv("NO_COLOR") == "")
	case inPlace:
		return &bar{w: f}
	}
	return newPlain(o.To, o.Service)
}

// inPlace returns the terminal that is written to; false means that nothing can be
// redrawn there.
func (o *Options) inPlace() (*os.File, bool) {
	if o.getenv == nil {
		o.getenv = os.Getenv
	}
	if o.isTerminal == nil {
		o.isTerminal = IsTerminal
	}
	f, ok := o.To.(*os.File)
	return f, ok && Styled(o.getenv) && o.isTerminal(f)
}

// silent is a View that shows nothing.
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
