package experiment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
)

// warmupCollection returns the collection of the documents of a trial's warm-up, which is
// not the trial's own: they are neither expected nor foreign there.
func warmupCollection(index int) string { return collection(index) + "_warmup" }

// warmUp lets the SUT do the work of sut.warmup, if there is any, and begins to watch it
// anew: peaks and CPU times are those of the measured part.
func (m *measurement) warmUp(ctx context.Context) (outcome string, err error) {
	s := m.planned.Level.Scenario
	if s.SUT.Warmup == (scenarios.Warmup{}) {
		return "", nil
	}
	limit := time.Duration(s.SUT.Timeout)
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	m.record.Warmup = &results.Warmup{}
	if h := m.service; h != nil && h.http != nil {
		m.record.Warmup.Requests, err = h.warmUp(bounded)
	} else if err = m.process.Send(bounded, sut.Message{Type: sut.TypeWarmup}); err == nil {
		_, err = m.process.Await(bounded, sut.TypeWarm)
	}
	m.record.Warmup.Took = time.Since(began)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return results.OutcomeTimeout, fmt.Errorf("the SUT had not warmed up after %v (sut.timeout) and was killed", limit)
	case err != nil:
		return m.failure(ctx, fmt.Errorf("warm up: %w", err))
	}
	if m.sampler == nil { // the process is not seen
		return "", nil
	}
	seen := m.sampler.Stop()
	m.warmUser, m.warmSystem = seen.User, seen.System
	if err := m.startSampler(ctx); err != nil {
		return m.unprobed(ctx, err)
	}
	return "", nil
}

// firstWarmup is the number of the first request of a warm-up: {{n}} is that of no request
// of the load.
const firstWarmup = 1_000_000_000

// warmUp sends requests to an HTTP service, one after another, and returns their number.
// Their statuses do not matter.
func (h *serviceHost) warmUp(ctx context.Context) (requests int, err error) {
	if err := h.trial.requests.try(); err != nil {
		return 0, err
	}
	w, n := h.trial.scenario.SUT.Warmup, h.firstFrom(firstWarmup)
	for began := time.Now(); ctx.Err() == nil; requests++ {
		if w.Items > 0 && requests == w.Items || w.For > 0 && time.Since(began) >= time.Duration(w.For) {
			return requests, nil
		}
		select {
		case <-h.m.process.Exited():
			return requests, sut.ErrExited
		default:
			h.post(ctx, n)
			n += uint64(len(h.trial.hosts))
		}
	}
	return requests, ctx.Err()
}

// early collects how the time of a request changes over the first half of the load.
type early struct {
	sums  [earlyParts]time.Duration
	count [earlyParts]int
}

// earlyParts is the number of parts of the first half of the load.
const earlyParts = 10

// add adds a request that was due at a time of a load of the given duration, and took d.
func (e *early) add(due, load, d time.Duration) {
	if part := int(2 * earlyParts * due / max(load, 1)); part >= 0 && part < earlyParts {
		e.sums[part] += d
		e.count[part]++
	}
}

// means returns the mean of each part, or nil if one has no request.
func (e *early) means() []time.Duration {
	all := make([]time.Duration, earlyParts)
	for i, n := range e.count {
		if n == 0 {
			return nil
		}
		all[i] = e.sums[i] / time.Duration(n)
	}
	return all
}
