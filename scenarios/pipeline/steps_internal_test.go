package pipeline

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// stepped is an upstream in virtual time whose latency and number of workers change after
// four seconds, like that of the scenario adaptive.
type stepped struct {
	latency [2]time.Duration
	workers [2]int
}

// through runs items with a strategy. It returns the makespan, the limit at the step and at
// the end, and the highest limit after the step.
func (s stepped) through(t *testing.T, strategy Strategy, items int) (makespan time.Duration, before, last, peak int) {
	synctest.Test(t, func(t *testing.T) {
		const stepAt = 4 * time.Second
		began := time.Now()
		var slots Slots
		if d, _ := Define(strategy.Kind); d.NewSlots != nil {
			slots = d.NewSlots(strategy)
		}
		workers := [2]Slots{NewSlots(s.workers[0]), NewSlots(s.workers[1])}
		var highest atomic.Int64
		p := Pipeline[int, int]{
			Strategy: strategy, Slots: slots,
			Fetcher: FetcherFunc[int, int](func(ctx context.Context, item int) ([]int, error) {
				phase := 0
				if time.Since(began) >= stepAt {
					phase = 1
				}
				release, err := workers[phase].Acquire(ctx)
				if err != nil {
					return nil, err
				}
				time.Sleep(s.latency[phase])
				release(nil)
				if slots != nil && phase == 1 {
					if n := int64(slots.Limit()); n > highest.Load() {
						highest.Store(n)
					}
				}
				return []int{item}, nil
			}),
			Writer: WriterFunc[int](func(context.Context, []int) error { time.Sleep(3 * time.Millisecond); return nil }),
		}
		all := make([]int, items)
		for i := range all {
			all[i] = i
		}
		go func() {
			time.Sleep(stepAt - time.Millisecond)
			if slots != nil {
				before = slots.Limit()
			}
		}()
		if _, err := p.Run(t.Context(), all); err != nil {
			t.Error(err)
		}
		makespan = time.Since(began)
		if slots != nil {
			last, peak = slots.Limit(), int(highest.Load())
		}
		time.Sleep(stepAt)
	})
	return makespan, before, last, peak
}

// TestSteps has the claims of the scenario adaptive in virtual time: what each algorithm
// loses against the best fixed limit, and how far it overshoots.
func TestSteps(t *testing.T) {
	most := map[string]float64{"max": 100}
	latency := stepped{[2]time.Duration{40 * ms, 100 * ms}, [2]int{8, 8}}
	capacity := stepped{[2]time.Duration{40 * ms, 40 * ms}, [2]int{8, 24}}
	aimd := Adaptive("aimd", map[string]float64{"max": 100, "timeout": float64(90 * ms)})
	for _, c := range []struct {
		name     string
		s        stepped
		items    int
		best     int
		strategy Strategy
		// leastLost and mostLost bound the share of the throughput that is lost, and low and
		// high the last limit.
		leastLost, mostLost float64
		low, high           int
	}{
		{"latency", latency, 1000, 10, Adaptive("failsafe", most), -0.05, 0.05, 10, 22},
		{"latency", latency, 1000, 10, Adaptive("vegas", most), -0.05, 0.05, 8, 11},
		{"latency", latency, 1000, 10, Adaptive("gradient2", most), -0.05, 0.05, 8, 20},
		{"latency", latency, 1000, 10, aimd, 0.4, 0.9, 1, 2}, // 100 ms are always too slow for it
		{"capacity", capacity, 3000, 28, Adaptive("failsafe", most), 0.1, 0.3, 15, 26},
		{"capacity", capacity, 3000, 28, Adaptive("vegas", most), -0.05, 0.05, 26, 32},
		{"capacity", capacity, 3000, 28, Adaptive("gradient2", most), -0.05, 0.05, 40, 65},
		{"capacity", capacity, 3000, 28, aimd, -0.05, 0.05, 40, 65},
	} {
		t.Run(fmt.Sprintf("%s %v", c.name, c.strategy), func(t *testing.T) {
			best, _, _, _ := c.s.through(t, Bounded(c.best), c.items)
			makespan, before, last, peak := c.s.through(t, c.strategy, c.items)
			lost := 1 - float64(best)/float64(makespan)
			t.Logf("%v, with %d at best %v; limit %d → %d, at most %d", makespan, c.best, best, before, last, peak)
			if lost < c.leastLost || lost > c.mostLost {
				t.Errorf("%.1f %% of the throughput is lost", 100*lost)
			}
			if last < c.low || last > c.high || before < 10 {
				t.Errorf("limit %d before the step, %d at the end, want %d to %d", before, last, c.low, c.high)
			}
		})
	}
}
