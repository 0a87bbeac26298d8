package mockupstream

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// bucket is a token bucket, kept as the time at which it will be full again
// less one token (the "theoretical arrival time" of the GCRA, which admits
// exactly what a token bucket does). Times count from the profile's start.
type bucket struct {
	interval time.Duration // that one token takes
	slack    time.Duration // that requests may be ahead of their time: (burst − 1) intervals
	next     atomic.Int64
}

// newBucket is nil, which admits everything, without a limit.
func newBucket(r *RateLimit) *bucket {
	if r == nil || r.PerSecond == 0 {
		return nil
	}
	interval := min(float64(time.Second)/r.PerSecond, float64(maxDelay))
	slack := min(interval*float64(max(r.Burst, 1)-1), math.MaxInt64/4)
	return &bucket{interval: time.Duration(interval), slack: time.Duration(slack)}
}

// take returns 0 when there is a token, else the time until there is one.
func (b *bucket) take(now time.Duration) time.Duration {
	for b != nil {
		old := b.next.Load()
		next := max(time.Duration(old), now)
		if ahead := next - now; ahead > b.slack {
			return ahead - b.slack
		}
		if b.next.CompareAndSwap(old, int64(next+b.interval)) {
			break
		}
	}
	return 0
}

// workers models a server of k workers and a queue, first come, first served.
// The work of a request is known when it arrives, so the time at which a worker
// begins it is, too: waiting for it is one sleep, as precise as any other,
// and no worker has to exist. Times count from the profile's start.
type workers struct {
	queue  int
	full   string
	mu     sync.Mutex
	free   []time.Duration // heap: when each worker will be free
	begins []time.Duration // of those that wait, earliest first
}

// newWorkers is nil, which serves at once, without a limit.
func newWorkers(c *Capacity) *workers {
	if c == nil || c.Workers == 0 {
		return nil
	}
	return &workers{queue: c.Queue, full: c.Full, free: make([]time.Duration, c.Workers)}
}

// reserve returns when a worker will begin work that arrives now; false when
// the queue is full and does not wait.
func (w *workers) reserve(now, work time.Duration) (time.Duration, bool) {
	if w == nil {
		return now, true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	begin := max(now, w.free[0])
	if begin > now {
		waiting := 0
		for waiting < len(w.begins) && w.begins[waiting] <= now {
			waiting++
		}
		w.begins = w.begins[waiting:]
		if rejects := w.full == "429" || w.full == "503"; rejects && len(w.begins) >= w.queue {
			return 0, false
		}
		w.begins = append(w.begins, begin)
	}
	w.occupy(begin + work)
	return begin, true
}

// occupy gives the first worker to be free work until the time end.
func (w *workers) occupy(end time.Duration) {
	i, n := 0, len(w.free)
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if right := child + 1; right < n && w.free[right] < w.free[child] {
			child = right
		}
		if w.free[child] >= end {
			break
		}
		w.free[i] = w.free[child]
		i = child
	}
	w.free[i] = end
}
