package mockupstream

import (
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// admission is the decision of the rate limit and the capacity about a request.
type admission struct {
	// limited is the time until the rate limit has a token; zero means that it
	// admits the request.
	limited time.Duration
	// full reports that the capacity refuses the request.
	full bool
	// draw and begin, the time at which its work begins, are set if it is admitted.
	draw  Draw
	begin time.Duration
}

// admit decides on a request that arrives now.
func (s *stage) admit(now time.Duration, hash uint64, attempt int) admission {
	if wait := s.bucket.take(now); wait > 0 {
		return admission{limited: wait}
	}
	draw := s.profile.draw(hash, attempt)
	begin, ok := s.workers.reserve(now, draw.work())
	return admission{full: !ok, draw: draw, begin: begin}
}

// status returns the status for a request that finds no free worker.
func (c *Capacity) status() int {
	if c.Full == "429" {
		return http.StatusTooManyRequests
	}
	return http.StatusServiceUnavailable
}

// bucket is a token bucket, stored as the "theoretical arrival time" of the
// GCRA: the time at which the bucket will be full again, less one token. The
// two algorithms admit the same requests. Times count from the profile's start.
type bucket struct {
	interval time.Duration // time per token
	slack    time.Duration // how early requests may come: (burst − 1) intervals
	next     atomic.Int64
}

// newBucket returns nil, a bucket that admits everything, if there is no limit.
func newBucket(r *RateLimit) *bucket {
	if r == nil || r.PerSecond == 0 {
		return nil
	}
	interval := min(float64(time.Second)/r.PerSecond, float64(maxDelay))
	slack := min(interval*float64(max(r.Burst, 1)-1), math.MaxInt64/4)
	return &bucket{interval: time.Duration(interval), slack: time.Duration(slack)}
}

// take takes a token and returns 0, or returns the time until there is a token.
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
// The work of a request is known when it arrives, so its starting time is known,
// too: the wait for a worker is a single sleep, and no worker has to exist.
// Times count from the profile's start.
type workers struct {
	queue  int
	full   string
	mu     sync.Mutex
	free   []time.Duration // heap of the times at which the workers become free
	begins []time.Duration // starting times of the requests that wait, earliest first
}

// newWorkers returns nil, a model that serves every request at once, if there is no limit.
func newWorkers(c *Capacity) *workers {
	if c == nil || c.Workers == 0 {
		return nil
	}
	return &workers{queue: c.Queue, full: c.Full, free: make([]time.Duration, c.Workers)}
}

// reserve returns the time at which a worker begins work that arrives now, or
// false if the queue is full and refuses requests.
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

// occupy gives work until the time end to the worker that becomes free first.
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
