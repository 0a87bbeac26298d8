package mockupstream

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The token bucket agrees with its definition: tokens that trickle in, up to burst.
func TestBucketIsATokenBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		burst := rapid.IntRange(1, 5).Draw(t, "burst")
		b := newBucket(&RateLimit{PerSecond: 1000, Burst: burst})
		tokens, last, now := time.Duration(burst)*time.Millisecond, time.Duration(0), time.Duration(0)
		for _, gap := range rapid.SliceOf(rapid.IntRange(0, 3000)).Draw(t, "gaps in µs") {
			now += time.Duration(gap) * time.Microsecond
			tokens = min(tokens+now-last, time.Duration(burst)*time.Millisecond)
			last = now
			wait := b.take(now)
			if want := max(time.Millisecond-tokens, 0); wait != want {
				t.Fatalf("at %v: wait %v, want %v", now, wait, want)
			}
			if wait == 0 {
				tokens -= time.Millisecond
			}
		}
	})
}

// The workers agree with a plain simulation of a queue.
func TestWorkersServeInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, queue := rapid.IntRange(1, 5).Draw(t, "workers"), rapid.IntRange(0, 5).Draw(t, "queue")
		full := rapid.SampledFrom([]string{"", "wait", "429", "503"}).Draw(t, "full")
		w := newWorkers(&Capacity{Workers: k, Queue: queue, Full: full})
		free, now := make([]time.Duration, k), time.Duration(0)
		var begins []time.Duration
		for range rapid.IntRange(1, 50).Draw(t, "requests") {
			now += time.Duration(rapid.IntRange(0, 3).Draw(t, "gap"))
			work := time.Duration(rapid.IntRange(0, 10).Draw(t, "work"))
			waiting := 0
			for _, b := range begins {
				if b > now {
					waiting++
				}
			}
			slices.Sort(free)
			want, refused := max(now, free[0]), false
			if want > now && (full == "429" || full == "503") && waiting >= queue {
				refused = true
			}
			got, ok := w.reserve(now, work)
			if ok == refused || ok && got != want {
				t.Fatalf("at %v: begin %v, %v; want %v, refused %v", now, got, ok, want, refused)
			}
			if ok {
				free[0] = want + work
				begins = append(begins, want)
			}
		}
	})
}

func TestNoLimits(t *testing.T) {
	if wait := newBucket(nil).take(0); wait != 0 {
		t.Errorf("no rate limit: wait %v", wait)
	}
	if begin, ok := newWorkers(nil).reserve(5, 1); begin != 5 || !ok {
		t.Errorf("no capacity: begin %v, %v", begin, ok)
	}
}
