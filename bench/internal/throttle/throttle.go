// Package throttle bounds the rate of requests to servers of others:
//
//	b := throttle.New(100)
//	…
//	err := b.Wait(ctx) // returns at once for 100 requests, and a second later for the next
package throttle

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Bound lets a number of requests start in any second. It is safe for concurrent use.
type Bound struct {
	throttled atomic.Int64

	mu     sync.Mutex
	turns  []time.Time // ring buffer of the starts of the last requests
	oldest int         // index in turns
}

// New returns a bound that lets perSecond requests start in any second, possibly all at
// once. perSecond must be at least 1.
func New(perSecond int) *Bound { return &Bound{turns: make([]time.Time, perSecond)} }

// turn returns when a request may start: one second after the request that came
// perSecond requests earlier.
func (b *Bound) turn(now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.turns[b.oldest].Add(time.Second)
	if at.Before(now) {
		at = now
	}
	b.turns[b.oldest] = at
	b.oldest = (b.oldest + 1) % len(b.turns)
	return at
}

// Wait waits until a request may start. If ctx ends first, it returns an error, and the
// turn is lost.
func (b *Bound) Wait(ctx context.Context) error {
	now := time.Now()
	delay := b.turn(now).Sub(now)
	if delay <= 0 {
		return nil
	}
	b.throttled.Add(1)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("throttled by the bound on requests per second: %w", context.Cause(ctx))
	}
}

// Throttled returns the number of requests that had to wait so far.
func (b *Bound) Throttled() int { return int(b.throttled.Load()) }
