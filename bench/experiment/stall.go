package experiment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"floodgate/bench/sut"
)

// progress is when something was completed last.
type progress struct {
	completed int
	at        time.Duration
	stalled   *time.Duration
}

var errStalled = errors.New("nothing was completed any more")

// stalled says in words that nothing was completed any more; empty: it was.
func (t *serviceTrial) stalled() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.progress.stalled == nil {
		return ""
	}
	return fmt.Sprintf("reports in flight and none completed for %v (service.stall), at %.1f s",
		time.Duration(t.scenario.Service.Stall), t.progress.stalled.Seconds())
}

// askStacks returns those of the SUT's goroutines where it has stalled, else none.
func (t *serviceTrial) askStacks(ctx context.Context) string {
	if t.stalled() == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, stacksTimeout)
	defer cancel()
	if err := t.m.process.Send(ctx, sut.Message{Type: sut.TypeStacks}); err != nil {
		t.m.warn("no goroutines of the stall: %v", err)
		return ""
	}
	answer, err := t.m.process.Await(ctx, sut.TypeStacks)
	if err != nil {
		t.m.warn("no goroutines of the stall: %v", err)
	}
	return answer.Goroutines
}

// watch ends the load when nothing has been completed for too long. The caller
// holds the lock.
func (t *serviceTrial) watch(k sut.Tick) {
	completed := k.Done + k.Failed
	if completed != t.progress.completed || k.ReportsInFlight == 0 {
		t.progress.completed, t.progress.at = completed, k.At
		return
	}
	if t.progress.stalled == nil && k.At-t.progress.at >= time.Duration(t.scenario.Service.Stall) && t.stall != nil {
		t.progress.stalled = &k.At
		t.stall(errStalled)
	}
}
