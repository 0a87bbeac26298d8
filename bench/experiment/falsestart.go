package experiment

import (
	"fmt"

	"floodgate/results"
)

// falseStart ends a run in whose first trial the command does not say that it is
// ready: it would not in any other. It also counts the first trials of a run whose
// command crashed before it asked the upstream for anything, each for the same reason.
type falseStart struct {
	trials int
	reason string
	over   bool // one did not
}

// ended takes the next trial, and gives up after the last of those that may crash so.
func (f *falseStart) ended(t results.Trial, most int) error {
	if t.NotReady && !f.over && f.trials == 0 {
		return fmt.Errorf("the first trial failed: %s", t.Reason)
	}
	atOnce := t.Outcome == results.OutcomeCrashed && t.Upstream != nil && t.Upstream.Requests == 0
	if f.over = f.over || !atOnce || f.trials > 0 && t.Reason != f.reason; f.over {
		return nil
	}
	f.trials, f.reason = f.trials+1, t.Reason
	if f.trials < most {
		return nil
	}
	return fmt.Errorf("the first %d trials all crashed: %s; is sut.command right?", f.trials, f.reason)
}
