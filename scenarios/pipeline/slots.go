package pipeline

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
)

// Slots bound the number of items in progress: an item holds a slot from before its
// fetch until its write is done. Pipelines that share one Slots are bounded together.
type Slots interface {
	// Acquire waits for a slot until ctx ends. The error fails the item. release must be
	// called once, with the error of the item, or nil if it succeeded.
	Acquire(ctx context.Context) (release func(error), err error)
	// InUse returns the number of slots in use, and Limit the current number of slots.
	InUse() int
	Limit() int
}

// NewSlots returns n slots. The order of waiting items is unspecified.
func NewSlots(n int) Slots { return make(fixed, n) }

// fixed holds a token for each slot in use.
type fixed chan struct{}

func (f fixed) Acquire(ctx context.Context) (func(error), error) {
	select {
	case f <- struct{}{}:
		return func(error) { <-f }, nil
	default:
	}
	select {
	case f <- struct{}{}:
		return func(error) { <-f }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (f fixed) InUse() int { return len(f) }
func (f fixed) Limit() int { return cap(f) }

// failsafe holds slots whose number failsafe-go's limiter finds.
type failsafe struct {
	limiter adaptivelimiter.AdaptiveLimiter[any]
	inUse   atomic.Int64
}

func (f *failsafe) Acquire(ctx context.Context) (func(error), error) {
	permit, err := f.limiter.AcquirePermit(ctx)
	if err != nil {
		return nil, err
	}
	f.inUse.Add(1)
	return func(error) {
		f.inUse.Add(-1)
		permit.Record()
	}, nil
}

func (f *failsafe) InUse() int { return int(f.inUse.Load()) }
func (f *failsafe) Limit() int { return f.limiter.Limit() }

// windowed holds slots whose number a controller finds from windows of the items that
// held them. Waiting items get slots in the order of their arrival.
type windowed struct {
	control controller
	// least is the least time, and samples the least number of items, of a window.
	least   time.Duration
	samples int

	mu           sync.Mutex
	limit, inUse int
	waiting      list.List // of chan struct{}, closed when the slot is given

	began time.Time // of the window; zero means that no item has ended
	ended int       // items that ended in it
	held  time.Duration
	timed int // items of which held is the sum
	window
}

func newWindowed(v values, c controller) *windowed {
	return &windowed{control: c, least: v.duration("window"), samples: v.whole("samples"), limit: v.whole("initial")}
}

func (s *windowed) Acquire(ctx context.Context) (func(error), error) {
	s.mu.Lock()
	if s.inUse < s.limit && s.waiting.Len() == 0 {
		s.inUse++
		s.mu.Unlock()
		return s.release(time.Now()), nil
	}
	given := make(chan struct{})
	place := s.waiting.PushBack(given)
	s.mu.Unlock()
	select {
	case <-given:
		return s.release(time.Now()), nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-given: // at the same moment
		s.inUse--
		s.give()
	default:
		s.waiting.Remove(place)
	}
	return nil, context.Cause(ctx)
}

// release returns the function that gives a slot back, which has been held since the
// given time.
func (s *windowed) release(since time.Time) func(error) {
	return func(err error) {
		now := time.Now()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sample(now, now.Sub(since), err)
		s.inUse--
		s.give()
	}
}

// sample adds an item to the window and updates the limit at the end of one.
func (s *windowed) sample(now time.Time, held time.Duration, err error) {
	if s.began.IsZero() {
		s.began = now.Add(-held)
	}
	s.inFlight = max(s.inFlight, s.inUse)
	switch {
	case err == nil:
		s.held += max(held, 1) // no clock is so fine that an rtt is zero
		s.timed++
	case lacksCapacity(err):
		s.dropped = true
	default: // the time of another failure says nothing about the servers
		return
	}
	s.ended++
	if s.ended < s.samples || now.Sub(s.began) < s.least {
		return
	}
	if s.timed > 0 {
		s.rtt = s.held / time.Duration(s.timed)
	}
	s.limit = s.control.update(s.window)
	s.began, s.ended, s.held, s.timed, s.window = now, 0, 0, 0, window{}
}

// give gives free slots to waiting items.
func (s *windowed) give() {
	for s.inUse < s.limit && s.waiting.Len() > 0 {
		s.inUse++
		close(s.waiting.Remove(s.waiting.Front()).(chan struct{}))
	}
}

func (s *windowed) InUse() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse
}

func (s *windowed) Limit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit
}

// lacksCapacity reports whether an item failed because this program, the upstream or the
// database could not take more: a timeout, a refusal, or a lack of descriptors or ports.
func lacksCapacity(err error) bool {
	switch ErrorType(err) {
	case "timeout", "refused", "reset", "emfile", "ports", "http_429", "http_5xx", "mongo_timeout", "mongo_pool_timeout", "mongo_server_selection":
		return true
	}
	return false
}
