package pipeline

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
)

// Slots are held by items while they are worked on, from before the fetch until
// the write is done. Several pipelines that share one are bounded together.
type Slots interface {
	// Acquire waits for a slot until ctx ends. The error fails the item.
	Acquire(ctx context.Context) (release func(), err error)
	// InUse is how many slots are held, and Limit how many there are now.
	InUse() int
	Limit() int
}

// NewSlots returns n slots. Whoever waits, waits in no particular order.
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

// Bounds of what an adaptive limit may become, and where it begins.
const (
	adaptiveLeast, adaptiveMost, adaptiveFirst = 1, 1000, 10
	// adaptiveWindow is how long response times are gathered before the limit
	// is thought over; failsafe-go wants 50 of them at least.
	adaptiveLeastWindow, adaptiveMostWindow = time.Second, 30 * time.Second
)

// NewAdaptiveSlots returns slots whose number follows the times that they are
// held, as failsafe-go's adaptive limiter finds it: it rises while throughput
// rises with it and falls when times rise instead. It begins at 10.
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
