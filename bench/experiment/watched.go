package experiment

import (
	"context"
	"time"

	"floodgate/bench/machine"
	"floodgate/results"
)

// Watch begins to watch how busy the machine is. The function that it returns
// ends that, and returns the highest share of all cores in use over a window of
// the given length; zero means unknown.
type Watch func() (busiest func(window time.Duration) float64)

// WatchMachine is the Watch of this machine.
func WatchMachine() (busiest func(window time.Duration) float64) { return machine.StartMeter().Stop }

// Watched is a Tester that watches how busy the machine is in each attempt.
type Watched struct {
	Tester
	Watch Watch
	// Busy is how busy the machine was in the last attempt, over the time that
	// reports came, or over the makespan.
	Busy float64
}

// Run runs one attempt.
func (w *Watched) Run(ctx context.Context, t PlannedTrial) (results.Trial, error) {
	busiest := w.Watch()
	record, err := w.Tester.Run(ctx, t)
	window := record.Makespan
	if s := t.Level.Scenario.Service; s != nil {
		window = time.Duration(s.Duration)
	}
	w.Busy = busiest(window)
	return record, err
}
