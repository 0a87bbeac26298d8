package experiment

import (
	"cmp"
	"context"
	"time"

	"floodgate/results"
)

// When is a trial run again? All commands have this policy:
//
//   - An attempt that does not count is repeated at once, up to Retries times. By
//     default these are the attempts in which Floodgate itself was the bottleneck.
//     The record keeps the reasons. An external upstream gets no request twice.
//   - A trial that failed stays in the record as missing data. A limit search makes
//     up for some of those with further blocks: see incomplete in bench/search.
//   - A run that was interrupted is resumed with the trials that have no record.

// attempts repeats a trial until an attempt counts or no retries remain.
func (r *Runner) attempts(ctx context.Context, t ScheduledTrial) (results.Trial, error) {
	var discarded []results.Discarded
	var began time.Time
	for {
		if err := r.ensure(ctx); err != nil {
			return results.Trial{}, err
		}
		if began.IsZero() {
			began = time.Now()
			r.progress().TrialStarted(t, r.clock.left())
		}
		record, err := r.Tester.Run(ctx, t)
		if err != nil {
			return results.Trial{}, interruptedBy(ctx, err)
		}
		record.Discarded = discarded
		why := r.discard(record)
		if why == "" || len(discarded) >= r.Retries || !r.Tester.Mock() {
			r.clock.add(t.Estimate, time.Since(began))
			return record, nil
		}
		discarded = append(discarded, results.Discarded{Started: record.Started, Reason: why})
	}
}

// discard returns the reason why an attempt does not count, or "".
func (r *Runner) discard(t results.Trial) (why string) {
	switch {
	case r.Discard != nil:
		return r.Discard(t)
	case t.Outcome == results.OutcomeInvalid:
		return cmp.Or(t.Reason, t.Outcome)
	}
	return ""
}
