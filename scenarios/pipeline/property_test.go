package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/scenarios/pipeline"
)

// plan is a random run.
type plan struct {
	items    []int
	strategy pipeline.Strategy
	// cancelAt is the number of the fetch in which the run is canceled; a number above
	// all fetches means never.
	cancelAt int
}

const universe = 25 // items are 0 to universe-1

func drawPlan(t *rapid.T) (plan, *world) {
	w := newWorld()
	draw := func(label string, most behavior) []behavior {
		choices := []behavior{works, works, works, works, works, fails, panics, exits, partial}
		return rapid.SliceOfN(rapid.SampledFrom(choices[:5+int(most)]), universe, universe).Draw(t, label)
	}
	docs := rapid.SliceOfN(rapid.IntRange(0, 5), universe, universe).Draw(t, "docs")
	fetch := draw("fetch", exits)
	write := draw("write", partial)
	w.docs = func(item int) int { return docs[item] }
	w.fetch = func(item int) behavior { return fetch[item] }
	w.write = func(d doc) behavior {
		if d.seq == 0 {
			return write[d.item]
		}
		return works
	}
	return plan{
		items:    rapid.SliceOfN(rapid.IntRange(0, universe-1), 0, 60).Draw(t, "items"),
		strategy: rapid.SampledFrom(strategies()).Draw(t, "strategy"),
		cancelAt: rapid.IntRange(0, 2*universe).Draw(t, "cancelAt"),
	}, w
}

// context returns the run's context, which the world cancels as planned.
func (p plan) context(w *world) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	if p.cancelAt == 0 {
		cancel()
	}
	w.onFetch = func(int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		n := 0
		for _, count := range w.fetched {
			n += count
		}
		if n >= p.cancelAt {
			cancel()
		}
	}
	return ctx, cancel
}

func distinct(items []int) []int {
	var all []int
	for _, item := range items {
		if !slices.Contains(all, item) {
			all = append(all, item)
		}
	}
	return all
}

// check compares one item's outcome with the world's record.
func (w *world) check(t *rapid.T, p plan, canceled bool, item int, docs []doc, err error) {
	complete := len(docs) == w.docs(item)
	for seq := range w.docs(item) {
		n := w.written[doc{item, seq}]
		if n > 1 {
			t.Fatalf("document %d of item %d was written %d times", seq, item, n)
		}
		complete = complete && n == 1
	}
	var failure *pipeline.ItemError[int]
	switch {
	case err == nil:
		if w.fetched[item] != 1 || !complete {
			t.Fatalf("item %d succeeded: fetched %d times, all written: %v", item, w.fetched[item], complete)
		}
	case !errors.As(err, &failure) || failure.Item != item:
		t.Fatalf("item %d: %v is not its *ItemError", item, err)
	case failure.Stage == pipeline.StageQueue:
		if !canceled || !errors.Is(err, pipeline.ErrNotStarted) || !errors.Is(err, context.Canceled) || w.fetched[item] != 0 {
			t.Fatalf("item %d: %v, canceled: %v, fetched %d times", item, err, canceled, w.fetched[item])
		}
	case failure.Stage == pipeline.StageFetch:
		if w.fetch(item) == works || w.fetched[item] != 1 || docs != nil {
			t.Fatalf("item %d: %v, fetched %d times", item, err, w.fetched[item])
		}
	default: // a bulk fails as a whole, so other items may be the cause
		alone := p.strategy.Kind != pipeline.KindBatched
		if complete || w.fetched[item] != 1 || len(docs) != w.docs(item) || alone && w.write(doc{item, 0}) == works {
			t.Fatalf("item %d: %v, all written: %v, fetched %d times, %d documents", item, err, complete, w.fetched[item], len(docs))
		}
	}
}

// checkLimits compares the peaks in flight with the strategy.
func (w *world) checkLimits(t *rapid.T, s pipeline.Strategy) {
	fetching, writing, held, largest := s.Limit, s.Writers, 1<<30, 5
	switch s.Kind {
	case pipeline.KindSequential:
		fetching, writing, held = 1, 1, 1
	case pipeline.KindBounded:
		writing, held = s.Limit, s.Limit
	case pipeline.KindJoined:
		writing = 1
	case pipeline.KindUnbounded:
		return
	case pipeline.KindStaged:
		held = s.Limit + s.Writers + s.Queue
	case pipeline.KindBatched:
		largest = s.Batch
	}
	if w.peakFetching > fetching || w.peakWriting > writing || w.peakHeld > held || w.largest > largest {
		t.Fatalf("%v: %d fetching, %d writing, %d held, %d documents in a write; allowed: %d, %d, %d, %d", s,
			w.peakFetching, w.peakWriting, w.peakHeld, w.largest, fetching, writing, held, largest)
	}
}

func TestRunKeepsTheContract(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, w := drawPlan(t)
		ctx, cancel := p.context(w)
		defer cancel()
		seen := &timings{}
		line := w.pipeline(p.strategy)
		line.Observer = seen
		values, err := line.Run(ctx, p.items)
		canceled := ctx.Err() != nil
		if len(values) != len(p.items) {
			t.Fatalf("%d values of %d items", len(values), len(p.items))
		}
		errs := map[int]error{}
		var order []int
		for _, e := range itemErrors(err) {
			if errs[e.Item] != nil {
				t.Fatalf("item %d failed twice", e.Item)
			}
			errs[e.Item] = e
			order = append(order, slices.Index(p.items, e.Item))
		}
		if !slices.IsSorted(order) {
			t.Fatalf("failures are of items at %v: not in order", order)
		}
		for i, item := range p.items {
			w.check(t, p, canceled, item, values[i], errs[item])
			for seq, d := range values[i] {
				if d != (doc{item, seq}) {
					t.Fatalf("value %d of item %d at %d is %v", seq, item, i, d)
				}
			}
		}
		w.checkLimits(t, p.strategy)
		seen.check(t, len(w.fetched), errs)
	})
}

func TestStreamKeepsTheContract(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, w := drawPlan(t)
		ctx, cancel := p.context(w)
		defer cancel()
		outcomes := map[int]pipeline.Outcome[int, doc]{}
		err := w.pipeline(p.strategy).Stream(ctx, slices.Values(p.items), func(o pipeline.Outcome[int, doc]) {
			if _, again := outcomes[o.Item]; again {
				t.Fatalf("item %d came twice", o.Item)
			}
			outcomes[o.Item] = o
		})
		failed, never := 0, 0
		for _, item := range distinct(p.items) {
			o, ok := outcomes[item]
			if !ok || o.Index != slices.Index(p.items, item) {
				t.Fatalf("item %d: outcome %v, at %d", item, ok, o.Index)
			}
			w.check(t, p, ctx.Err() != nil, item, o.Docs, o.Err)
			if errors.Is(o.Err, pipeline.ErrNotStarted) {
				never++
			} else if o.Err != nil {
				failed++
			}
		}
		w.checkLimits(t, p.strategy)
		var failures *pipeline.Failures
		if !errors.As(err, &failures) {
			failures = new(pipeline.Failures)
		}
		if failures.Failed != failed || failures.NotStarted != never || len(outcomes) != len(distinct(p.items)) {
			t.Fatalf("%v: want %d failed, %d not started", err, failed, never)
		}
	})
}

// timings is an Observer that keeps all timings.
type timings struct {
	mu  sync.Mutex
	all []pipeline.Timing
}

func (o *timings) Item(_ int, t pipeline.Timing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, t)
}

func (o *timings) check(t *rapid.T, started int, errs map[int]error) {
	if len(o.all) != started {
		t.Fatalf("%d items observed, %d started", len(o.all), started)
	}
	for _, m := range o.all {
		sum := m.Fetch + m.Handoff + m.PoolWait + m.Write
		shortest := min(m.Queue, m.Fetch, m.Handoff, m.PoolWait, m.Write)
		if sum != m.End.Sub(m.Start) || shortest < 0 || m.Start.IsZero() {
			t.Fatalf("stages add up to %v of %v: %+v", sum, m.End.Sub(m.Start), m)
		}
		var failure *pipeline.ItemError[int]
		switch {
		case m.Err == nil && m.Stage != "":
			t.Fatalf("stage %q without an error", m.Stage)
		case m.Err != nil && (!errors.As(m.Err, &failure) || errs[failure.Item] == nil || failure.Stage != m.Stage):
			t.Fatalf("%v, stage %q", m.Err, m.Stage)
		}
	}
}

func TestPoolWaitIsApart(t *testing.T) {
	forEachStrategy(t, func(t *testing.T, s pipeline.Strategy) {
		seen := &timings{}
		w := newWorld()
		line := w.pipeline(s)
		line.Observer = seen
		line.Writer = pipeline.WriterFunc[doc](func(ctx context.Context, docs []doc) error {
			pipeline.RecordPoolWait(ctx, time.Hour) // longer than the write, so it is cut
			return w.Write(ctx, docs)
		})
		if _, err := line.Run(t.Context(), []int{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		for _, m := range seen.all {
			if !m.Wrote || m.PoolWait <= 0 || m.Write < 0 || m.PoolWait+m.Write+m.Handoff+m.Fetch != m.End.Sub(m.Start) {
				t.Errorf("pool wait not kept apart: %+v", m)
			}
		}
	})
}

// joined fetches all items and then writes sequentially in order, like the program of 2017.
func TestJoinedWritesInOrderAfterAllFetches(t *testing.T) {
	w := newWorld()
	var order []int
	w.onWrite = func(docs []doc) {
		if len(w.fetched) != 20 || w.fetching > 0 {
			t.Errorf("written when %d of 20 were fetched", len(w.fetched))
		}
		order = append(order, docs[0].item)
	}
	w.onFetch = func(item int) { time.Sleep(time.Duration(20-item) * time.Microsecond) } // done in another order
	items := slices.Collect(upTo(20))
	if _, err := w.pipeline(pipeline.Joined(20)).Run(t.Context(), items); err != nil || !slices.Equal(order, items) {
		t.Errorf("written in the order %v, error %v", order, err)
	}
}
