package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"floodgate/scenarios/pipeline"
)

// counting fetches and writes, and counts the items in progress.
type counting struct {
	now, peak atomic.Int64
	arrived   chan struct{}
	release   chan struct{}
}

func (c *counting) enter() {
	n := c.now.Add(1)
	for p := c.peak.Load(); n > p && !c.peak.CompareAndSwap(p, n); p = c.peak.Load() {
	}
}

func (c *counting) pipeline(s pipeline.Strategy, slots pipeline.Slots) *pipeline.Pipeline[int, int] {
	return &pipeline.Pipeline[int, int]{
		Strategy: s, Slots: slots,
		Fetcher: pipeline.FetcherFunc[int, int](func(_ context.Context, item int) ([]int, error) {
			c.enter()
			if c.arrived != nil {
				c.arrived <- struct{}{}
				<-c.release
			}
			return []int{item}, nil
		}),
		Writer: pipeline.WriterFunc[int](func(context.Context, []int) error {
			c.now.Add(-1) // the slot is held until now
			return nil
		}),
	}
}

func numbers(n int) []int {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return items
}

// Several pipelines together process as many items at once as there are slots, and
// never more, whatever their own limits.
func TestSlotsBindAllPipelines(t *testing.T) {
	const slots, pipelines, items = 7, 5, 40
	for _, s := range []pipeline.Strategy{pipeline.Unbounded(), pipeline.Bounded(10), pipeline.Sequential()} {
		t.Run(s.String(), func(t *testing.T) {
			shared := pipeline.NewSlots(slots)
			c := &counting{arrived: make(chan struct{}), release: make(chan struct{})}
			var wg sync.WaitGroup
			for range pipelines {
				wg.Go(func() {
					if _, err := c.pipeline(s, shared).Run(t.Context(), numbers(items)); err != nil {
						t.Error(err)
					}
				})
			}
			want := slots
			if s.Kind == pipeline.KindSequential {
				want = pipelines
			}
			for range want {
				<-c.arrived // so many are in at once
			}
			if got := shared.InUse(); got != want {
				t.Errorf("%d slots in use, want %d", got, want)
			}
			go func() {
				for range pipelines*items - want {
					<-c.arrived
				}
			}()
			close(c.release)
			wg.Wait()
			if got := c.peak.Load(); got != int64(want) {
				t.Errorf("%d items in hand at most, want %d", got, want)
			}
			if shared.InUse() != 0 || shared.Limit() != slots {
				t.Errorf("afterwards %d of %d slots are in use", shared.InUse(), shared.Limit())
			}
		})
	}
}

// An item that waits for a slot when the run is canceled is reported as not started.
func TestSlotsAndCancellation(t *testing.T) {
	shared := pipeline.NewSlots(1)
	release, err := shared.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	c := &counting{}
	done := make(chan error)
	go func() {
		_, err := c.pipeline(pipeline.Bounded(3), shared).Run(ctx, numbers(10))
		done <- err
	}()
	cancel(why)
	err = <-done
	if !errors.Is(err, pipeline.ErrNotStarted) || !errors.Is(err, why) || strings.Count(err.Error(), "\n") != 9 {
		t.Errorf("error %v, want ten that were not started", err)
	}
	release(nil)
	if c.peak.Load() != 0 || shared.InUse() != 0 {
		t.Errorf("%d started, %d slots in use", c.peak.Load(), shared.InUse())
	}
}

// A fetch that panics or exits releases its slot.
func TestSlotsAreGivenBack(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("oh") }, "exit": runtime.Goexit, "error": func() {}} {
		t.Run(name, func(t *testing.T) {
			shared := pipeline.NewSlots(2)
			p := &pipeline.Pipeline[int, int]{
				Strategy: pipeline.Bounded(4), Slots: shared,
				Fetcher: pipeline.FetcherFunc[int, int](func(context.Context, int) ([]int, error) {
					end()
					return nil, fmt.Errorf("failed")
				}),
				Writer: pipeline.WriterFunc[int](func(context.Context, []int) error { return nil }),
			}
			_, err := p.Run(t.Context(), numbers(20))
			if err == nil || shared.InUse() != 0 {
				t.Errorf("%v, %d slots in use", err, shared.InUse())
			}
		})
	}
}

func TestSlotsNeedOneStretch(t *testing.T) {
	c := &counting{}
	for _, s := range []pipeline.Strategy{pipeline.Joined(2), pipeline.Staged(2, 2, 2), pipeline.Batched(2, 2, 2, 0)} {
		if _, err := c.pipeline(s, pipeline.NewSlots(1)).Run(t.Context(), numbers(2)); err == nil {
			t.Errorf("%s: takes slots", s)
		}
	}
}

func TestAdaptiveStrategies(t *testing.T) {
	for _, a := range pipeline.Algorithms() {
		t.Run(a.Name, func(t *testing.T) {
			c := &counting{}
			if _, err := c.pipeline(pipeline.Adaptive(a.Name, nil), nil).Run(t.Context(), numbers(1000)); err != nil {
				t.Fatal(err)
			}
			if peak := c.peak.Load(); peak > 1000 || peak < 1 || c.now.Load() != 0 {
				t.Errorf("%d in progress at most, %d afterwards", peak, c.now.Load())
			}
		})
	}
}
