package sut

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// bound holds fetches back so that a server that is not ours gets no more of
// them in any second than was said.
type bound struct {
	held atomic.Int64 // fetches that had to wait

	mu    sync.Mutex
	turns []time.Time // of the last so many fetches, round and round
	next  int
}

// newBound lets perSecond fetches begin in any second, be it all at once.
func newBound(perSecond int) *bound { return &bound{turns: make([]time.Time, perSecond)} }

// turn is when a fetch may begin: a second after the one that came perSecond
// fetches before it.
func (b *bound) turn(now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.turns[b.next].Add(time.Second)
	if at.Before(now) {
		at = now
	}
	b.turns[b.next] = at
	b.next = (b.next + 1) % len(b.turns)
	return at
}

// wait returns when a fetch may begin, or with the context's error; a turn
// that is given up is lost.
func (b *bound) wait(ctx context.Context) error {
	now := time.Now()
	delay := b.turn(now).Sub(now)
	if delay <= 0 {
		return nil
	}
	b.held.Add(1)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("held back by the bound on requests a second: %w", context.Cause(ctx))
	}
}
