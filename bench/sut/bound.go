package sut

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// bound holds fetches back so that a server that is not ours gets no more of
// them than was said.
type bound struct {
	limiter *rate.Limiter
	held    atomic.Int64 // fetches that had to wait
}

// newBound lets perSecond fetches begin at once, and as many each second.
func newBound(perSecond int) *bound {
	return &bound{limiter: rate.NewLimiter(rate.Limit(perSecond), perSecond)}
}

// wait returns when a fetch may begin, or with the context's error.
func (b *bound) wait(ctx context.Context) error {
	turn := b.limiter.Reserve()
	delay := turn.Delay()
	if delay == 0 {
		return nil
	}
	b.held.Add(1)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		turn.Cancel()
		return fmt.Errorf("held back by the bound on requests a second: %w", context.Cause(ctx))
	}
}
