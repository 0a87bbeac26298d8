package load

import (
	"context"
	"time"
)

// OnTimers makes requests wait by the runtime's timers, which synctest can fake.
func (o Options) OnTimers() Options {
	o.clock = timers{}
	return o
}

// WithGrace bounds the wait for requests in flight after an interruption.
func (o Options) WithGrace(d time.Duration) Options {
	o.grace = d
	return o
}

type timers struct{}

func (timers) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (timers) Close() {}
