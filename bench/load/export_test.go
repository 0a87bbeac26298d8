package load

import (
	"context"
	"time"
)

// OnTimers has requests wait by the runtime's own timers, which a test may fake.
func (o Options) OnTimers() Options {
	o.clock = timers{}
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
