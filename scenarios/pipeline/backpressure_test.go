package pipeline_test

import (
	"context"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"floodgate/scenarios/pipeline"
)

// endless yields 0, 1, 2 … until ctx is done.
func endless(ctx context.Context) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; ctx.Err() == nil && yield(i); i++ {
		}
	}
}

// While writes are blocked, fetching continues until the fetched and unwritten items
// reach their bound, and then stops.
func TestBackpressure(t *testing.T) {
	for _, c := range []struct {
		strategy pipeline.Strategy
		want     int // documents, one an item
	}{
		{pipeline.Sequential(), 1},
		{pipeline.Bounded(7), 7},
		{pipeline.Staged(4, 2, 0), 4 + 2},
		{pipeline.Staged(4, 2, 9), 4 + 9 + 2},
		{pipeline.Batched(4, 2, 5, time.Hour), 4 + (2+1)*5},
	} {
		t.Run(c.strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testBackpressure(t, c.strategy, c.want) })
		})
	}
}

func testBackpressure(t *testing.T, s pipeline.Strategy, want int) {
	ctx, cancel := context.WithCancel(t.Context())
	w := newWorld()
	release := make(chan struct{})
	w.onWrite = func([]doc) { <-release }
	line := w.pipeline(s)
	line.AssumeDistinct = true
	done := make(chan error)
	go func() { done <- line.Stream(ctx, endless(ctx), nil) }()
	for range 10 {
		synctest.Wait() // until everything blocks
		if held := len(w.items); held != want || w.peakHeld > want {
			t.Errorf("%d items are fetched and not written, %d at the peak; want %d", held, w.peakHeld, want)
		}
		release <- struct{}{}
	}
	cancel()
	close(release)
	if err := <-done; err == nil {
		t.Error("canceled, and no error")
	}
	if len(w.items) > 0 || len(w.written) != len(w.fetched) {
		t.Errorf("%d fetched, %d written", len(w.fetched), len(w.written))
	}
}

// write is one Write: when, and how many documents.
type write struct {
	at   time.Duration
	docs int
}

func TestLinger(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, c := range []struct {
		name    string
		batch   int
		linger  time.Duration
		fetches []time.Duration // all begin at 0
		slow    time.Duration   // of a write
		want    []write
	}{
		{"a bulk waits for more", 10, ms(50), []time.Duration{0, ms(10), ms(20), ms(200), ms(210)}, 0,
			[]write{{ms(50), 3}, {ms(210), 2}}},
		{"a full bulk does not wait", 2, ms(50), []time.Duration{0, ms(10), ms(20), ms(30), ms(200)}, 0,
			[]write{{ms(10), 2}, {ms(30), 2}, {ms(200), 1}}},
		{"linger counts from a bulk's first document", 10, ms(50), []time.Duration{0, ms(49), ms(51), ms(90), ms(300)}, 0,
			[]write{{ms(50), 2}, {ms(101), 2}, {ms(300), 1}}},
		{"the linger of a bulk that filled up is not the next one's", 2, ms(50), []time.Duration{0, ms(10), ms(40), ms(200)}, 0,
			[]write{{ms(10), 2}, {ms(90), 1}, {ms(200), 1}}},
		{"all that wait for room get in", 2, ms(50), make([]time.Duration, 6), ms(100),
			[]write{{0, 2}, {ms(100), 2}, {ms(200), 2}}},
		{"no linger", 10, 0, []time.Duration{0, ms(10), ms(20)}, 0,
			[]write{{0, 1}, {ms(10), 1}, {ms(20), 1}}},
		{"a bulk fills while no writer is free", 10, 0, []time.Duration{0, ms(10), ms(20), ms(30), ms(150)}, ms(100),
			[]write{{0, 1}, {ms(100), 3}, {ms(200), 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.onFetch = func(item int) { time.Sleep(c.fetches[item]) }
				var mu sync.Mutex
				var writes []write
				begin := time.Now()
				w.onWrite = func(docs []doc) {
					mu.Lock()
					writes = append(writes, write{time.Since(begin), len(docs)})
					mu.Unlock()
					time.Sleep(c.slow)
				}
				items := make([]int, len(c.fetches))
				for i := range items {
					items[i] = i
				}
				if _, err := w.pipeline(pipeline.Batched(len(items), 1, c.batch, c.linger)).Run(t.Context(), items); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(writes, c.want) {
					t.Errorf("writes %v, want %v", writes, c.want)
				}
			})
		})
	}
}
