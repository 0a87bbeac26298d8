package experiment

import (
	"cmp"
	"context"
	"errors"
	"time"

	"floodgate/results"
)

// When is a trial run again? All commands have this policy:
//
//   - An attempt that does not count is repeated at once, up to Retries times. By
//     default these are the attempts in which Floodgate itself was the bottleneck.
//     The record keeps the reasons. An external upstream gets no request twice.
//   - An attempt during which a server that Floodgate runs ended is abandoned at once
//     and repeated likewise, with the server restarted. An external upstream gets the
//     requests again if external.requests allows them beside those of the schedule.
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
		var ended *ServerEndedError
		if err != nil && !errors.As(err, &ended) {
			return results.Trial{}, interruptedBy(ctx, err)
		}
		record.Discarded = discarded
		why, repeatable := record.Reason, r.Tester.Mock()
		if ended == nil {
			why = r.discard(record)
		} else if !repeatable && r.affordable(t) {
			r.repeated += requestsOf(t)
			repeatable = true
		}
		if why == "" || len(discarded) >= r.Retries || !repeatable {
			r.clock.add(t.Estimate, time.Since(began))
			return record, nil
		}
		discarded = append(discarded, results.Discarded{Started: record.Started, Reason: why, ServerEnded: ended != nil})
	}
}

// affordable reports whether external.requests allows another attempt at a trial beside
// the rest of the schedule. Without a schedule, [Budget] decides.
func (r *Runner) affordable(t ScheduledTrial) bool {
	requests := r.repeated + requestsOf(t)
	for _, planned := range r.plan {
		requests += requestsOf(planned)
	}
	return requests <= t.maxRequests()
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
