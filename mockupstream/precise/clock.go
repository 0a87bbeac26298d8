// Package precise lets goroutines sleep with microsecond precision.
//
// Go's idle runtime on Linux sleeps in epoll with whole milliseconds, so that
// time.Sleep in an idle server ends up to a millisecond late. A Clock
// keeps its sleepers in a heap and waits for the first of them with a timerfd
// in the same epoll: a descriptor that becomes ready to the nanosecond, that
// needs no thread of its own, and whose ringing is handled by the very thread
// that epoll wakes. The time that the kernel takes to run a thread is learned
// and compensated: the alarm rings that much earlier, and what is left until
// the deadline is spun away, in at most 5 % of one core's time.
//
// On other systems, and where the timerfd cannot be had, a Clock uses
// time.Timer; Precise says which it is.
package precise

import (
	"container/heap"
	"context"
	"errors"
	"math"
	"sync"
	"time"
)

// ErrClosed is what sleepers get when their clock is closed.
var ErrClosed = errors.New("precise clock is closed")

// Clock wakes sleepers on time, never early. Make it with New; it is safe for
// concurrent use.
type Clock struct {
	base    time.Time // deadlines are counted from here
	alarm   *alarm    // nil: time.Timer
	closing chan struct{}
	stopped chan struct{}
	pool    sync.Pool // of *sleeper

	mu     sync.Mutex
	queue  queue
	armed  time.Duration // deadline that the alarm is set for; never: none
	closed bool
	lead   lead
}

const never = time.Duration(math.MaxInt64)

// New starts a clock. Close it.
func New() *Clock {
	c := &Clock{closing: make(chan struct{}), stopped: make(chan struct{}), armed: never}
	c.pool.New = func() any { return &sleeper{wake: make(chan struct{}, 1)} }
	c.base = time.Now()
	alarm, err := newAlarm()
	if err != nil { // time.Timer does, less precisely
		close(c.stopped)
		return c
	}
	c.alarm = alarm
	go c.run()
	return c
}

// Sleep returns nil once d has passed, or earlier the error of ctx, or ErrClosed.
// A d that is not positive returns at once.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	return c.sleep(ctx, time.Since(c.base)+d)
}

// SleepUntil is Sleep until the time t.
func (c *Clock) SleepUntil(ctx context.Context, t time.Time) error {
	return c.sleep(ctx, t.Sub(c.base))
}

// After returns a channel that gets the time once d has passed. It cannot be
// cancelled; a closed clock never sends.
func (c *Clock) After(d time.Duration) <-chan time.Time {
	due := time.Since(c.base) + d
	fired := make(chan time.Time, 1)
	go func() {
		if c.sleep(context.Background(), due) == nil {
			fired <- time.Now()
		}
	}()
	return fired
}

// Close ends all sleeps with ErrClosed and frees the clock's descriptor.
func (c *Clock) Close() {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if first {
		close(c.closing)
		if c.alarm != nil {
			c.alarm.close()
		}
	}
	<-c.stopped
}

func (c *Clock) sleep(ctx context.Context, due time.Duration) error {
	select {
	case <-c.closing:
		return ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.alarm == nil {
		return c.sleepPlain(ctx, due-time.Since(c.base))
	}
	s := c.pool.Get().(*sleeper)
	s.due = due
	c.add(s)
	select {
	case <-s.wake:
		c.pool.Put(s)
		return nil
	case <-ctx.Done():
		c.remove(s)
		return ctx.Err()
	case <-c.closing:
		c.remove(s)
		return ErrClosed
	}
}

func (c *Clock) sleepPlain(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closing:
		return ErrClosed
	}
}

func (c *Clock) add(s *sleeper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	heap.Push(&c.queue, s)
	if s.index == 0 {
		c.arm(s.due)
	}
}

// remove takes a sleeper that gave up out of the queue, and keeps it for another.
func (c *Clock) remove(s *sleeper) {
	c.mu.Lock()
	waiting := s.index >= 0
	if waiting {
		heap.Remove(&c.queue, s.index)
	}
	c.mu.Unlock()
	if !waiting {
		<-s.wake // it was woken meanwhile
	}
	c.pool.Put(s)
}

// arm sets the alarm, with c.mu held. After Close the alarm's descriptor may
// be another's.
func (c *Clock) arm(due time.Duration) {
	if due < c.armed && !c.closed {
		c.armed = due
		c.alarm.set(max(c.lead.aim(due, time.Since(c.base)), 1))
	}
}

// run wakes whoever is due each time that the alarm rings.
func (c *Clock) run() {
	defer close(c.stopped)
	for c.alarm.wait() {
		rang := time.Since(c.base)
		c.mu.Lock()
		spinUntil := c.lead.rang(c.armed, rang)
		c.armed = never
		c.mu.Unlock()
		now := rang
		for now < spinUntil {
			now = time.Since(c.base)
		}
		c.mu.Lock()
		for len(c.queue) > 0 && c.queue[0].due <= now {
			heap.Pop(&c.queue).(*sleeper).wake <- struct{}{}
		}
		if len(c.queue) > 0 {
			c.arm(c.queue[0].due)
		}
		c.mu.Unlock()
	}
}

// sleeper is one sleeping goroutine; index is its place in the queue, -1: none.
type sleeper struct {
	due   time.Duration
	index int
	wake  chan struct{}
}

// queue is a heap of sleepers, the earliest first.
type queue []*sleeper

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due < q[j].due }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(x any) {
	s := x.(*sleeper)
	s.index = len(*q)
	*q = append(*q, s)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	s.index = -1
	return s
}
