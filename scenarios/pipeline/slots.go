package pipeline

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
)

// Slots bound the number of items in progress: an item holds a slot from before its
// fetch until its write is done. Pipelines that share one Slots are bounded together.
type Slots interface {
	// Acquire waits for a slot until ctx ends. The error fails the item.
	Acquire(ctx context.Context) (release func(), err error)
	// InUse returns the number of slots in use, and Limit the current number of slots.
	InUse() int
	Limit() int
}

// NewSlots returns n slots. The order of waiting items is unspecified.
func NewSlots(n int) Slots { return make(fixed, n) }

// fixed holds a token for each slot in use.
type fixed chan struct{}

func (f fixed) Acquire(ctx context.Context) (func(), error) {
	select {
	case f <- struct{}{}:
		return func() { <-f }, nil
	default:
	}
	select {
	case f <- struct{}{}:
		return func() { <-f }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (f fixed) InUse() int { return len(f) }
func (f fixed) Limit() int { return cap(f) }

// Bounds of an adaptive limit, and its first value.
const (
	adaptiveLeast, adaptiveMost, adaptiveFirst = 1, 1000, 10
	// The window in which response times are collected before each update of the
	// limit; failsafe-go requires at least 50 of them.
	adaptiveLeastWindow, adaptiveMostWindow = time.Second, 30 * time.Second
)

// NewAdaptiveSlots returns slots whose number is determined by failsafe-go's
// adaptive limiter from the times for which they are held: it rises while
// throughput rises with it and falls when times rise instead. It starts at 10.
func NewAdaptiveSlots() Slots {
	limiter := adaptivelimiter.NewBuilder[any]().
		WithLimits(adaptiveLeast, adaptiveMost, adaptiveFirst).
		WithRecentWindow(adaptiveLeastWindow, adaptiveMostWindow, 50).
		Build()
	return &adaptive{limiter: limiter}
}

type adaptive struct {
	limiter adaptivelimiter.AdaptiveLimiter[any]
	inUse   atomic.Int64
}

func (a *adaptive) Acquire(ctx context.Context) (func(), error) {
	permit, err := a.limiter.AcquirePermit(ctx)
	if err != nil {
		return nil, err
	}
	a.inUse.Add(1)
	return func() {
		a.inUse.Add(-1)
		permit.Record()
	}, nil
}

func (a *adaptive) InUse() int { return int(a.inUse.Load()) }
func (a *adaptive) Limit() int { return a.limiter.Limit() }
