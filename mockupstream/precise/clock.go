// Package precise lets goroutines sleep with microsecond precision:
//
//	clock := precise.New()
//	defer clock.Close()
//	err := clock.Sleep(ctx, 250*time.Microsecond) // nil, and at most some µs late
//
// Go's idle runtime on Linux sleeps in epoll with whole milliseconds, so
// time.Sleep in an idle server ends up to a millisecond late. A [Clock] keeps its
// sleepers in a heap and waits for the first of them with a timerfd in the same
// epoll. This descriptor becomes ready to the nanosecond, needs no thread of its
// own, and is handled by the thread that epoll wakes. The clock learns how long
// the kernel takes to run that thread and sets the alarm earlier by this time.
// It then spins until the deadline, in at most 5 % of one core's time.
//
// On other systems, and where a timerfd is not available, a Clock uses time.Timer.
package precise

import (
	"container/heap"
	"context"
	"errors"
	"math"
	"sync"
	"time"
)

// ErrClosed is the error of sleepers whose clock is closed.
var ErrClosed = errors.New("precise clock is closed")

// Clock wakes sleepers on time and never early. Create it with New. It is safe
// for concurrent use.
type Clock struct {
	base    time.Time // deadlines count from here
	alarm   *alarm    // nil means that time.Timer is used
	closing chan struct{}
	stopped chan struct{}
	pool    sync.Pool // of *sleeper

	mu     sync.Mutex
	queue  queue
	armed  time.Duration // deadline for which the alarm is set, or never
	closed bool
	lead   lead
}

const never = time.Duration(math.MaxInt64)

// New starts a clock. Call Close to free it.
func New() *Clock {
	c := &Clock{closing: make(chan struct{}), stopped: make(chan struct{}), armed: never}
	c.pool.New = func() any { return &sleeper{wake: make(chan struct{}, 1)} }
	c.base = time.Now()
	alarm, err := newAlarm()
	if err != nil { // fall back to time.Timer, which is less precise
		close(c.stopped)
		return c
	}
	c.alarm = alarm
	go c.run()
	return c
}

// Sleep returns nil after d. It returns earlier, with an error, if ctx is done or
// the clock is closed. If d is not positive, it returns at once.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	return c.sleep(ctx, time.Since(c.base)+d)
}

// SleepUntil sleeps until the time t, in the same way as Sleep.
func (c *Clock) SleepUntil(ctx context.Context, t time.Time) error {
	return c.sleep(ctx, t.Sub(c.base))
}

// After returns a channel that receives the time after d. It cannot be canceled,
// and receives nothing if the clock is closed before.
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

// remove removes a sleeper that no longer waits from the queue, for reuse.
func (c *Clock) remove(s *sleeper) {
	c.mu.Lock()
	waiting := s.index >= 0
	if waiting {
		heap.Remove(&c.queue, s.index)
	}
	c.mu.Unlock()
	if !waiting {
		<-s.wake // it has been woken in the meantime
	}
	c.pool.Put(s)
}

// arm sets the alarm. The caller holds c.mu: after Close, the number of the
// alarm's descriptor may belong to another file.
func (c *Clock) arm(due time.Duration) {
	if due < c.armed && !c.closed {
		c.armed = due
		c.alarm.set(max(c.lead.aim(due, time.Since(c.base)), 1))
	}
}

// run wakes the sleepers that are due each time the alarm rings.
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

// sleeper is one sleeping goroutine; index is its place in the queue, or -1.
type sleeper struct {
	due   time.Duration
	index int
	wake  chan struct{}
}

// queue is a heap of sleepers, earliest first.
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

const (
	maxLead   = 200 * time.Microsecond
	stepUp    = 3 * time.Microsecond
	stepDown  = time.Microsecond
	spinShare = 20 // 1/spinShare of the time may be spent spinning
	maxBudget = 5 * time.Millisecond
)

// lead is the time by which an alarm has to ring before its deadline, because a
// woken thread does not run at once. It estimates the upper quartile of that
// delay by unequal steps up and down. A thread that runs before the deadline
// spins until then; if too much time is spent spinning, the lead is zero. Times
// count from an arbitrary base.
type lead struct {
	quartile time.Duration
	aimed    time.Duration // when the current alarm should ring; zero means at once
	budget   time.Duration // time that may still be spent spinning
	refilled time.Duration // time of the last addition to the budget
}

// aim returns the time from now until the alarm for the deadline due should ring.
func (l *lead) aim(due, now time.Duration) time.Duration {
	l.budget = min(l.budget+(now-l.refilled)/spinShare, maxBudget)
	l.refilled = now
	l.aimed = due
	if l.budget > 0 {
		l.aimed -= l.quartile
	}
	if l.aimed <= now {
		l.aimed = 0
		return 0
	}
	return l.aimed - now
}

// rang learns from an alarm that was set for the deadline due and rang now. It
// returns the end of spinning, which may be in the past.
func (l *lead) rang(due, now time.Duration) time.Duration {
	if due-now > maxLead {
		return 0 // the alarm was set again while it rang
	}
	if l.aimed > 0 {
		if now-l.aimed > l.quartile {
			l.quartile = min(l.quartile+stepUp, maxLead)
		} else {
			l.quartile = max(l.quartile-stepDown, 0)
		}
	}
	l.budget -= max(due-now, 0)
	return due
}
