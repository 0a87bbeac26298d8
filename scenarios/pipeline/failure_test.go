package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/scenarios/pipeline"
)

func TestFailuresInABulkAreMappedBack(t *testing.T) {
	w := newWorld()
	w.docs = func(int) int { return 3 }
	w.write = func(d doc) behavior {
		switch d {
		case doc{1, 0}, doc{1, 2}:
			return partial
		case doc{3, 2}:
			return fails
		}
		return works
	}
	// Bulks: 0.0 0.1 0.2 1.0 | 1.1 1.2 2.0 2.1 | 2.2 3.0 3.1 3.2
	_, err := w.pipeline(pipeline.Batched(1, 1, 4, time.Hour)).Run(t.Context(), []int{0, 1, 2, 3})
	got := map[int][]int{}
	for _, e := range itemErrors(err) {
		var p *pipeline.PartialError
		if !errors.As(e, &p) || e.Stage != pipeline.StageWrite || !errors.Is(e, errBroken) {
			t.Fatalf("not a partial failure to write: %v", e)
		}
		for i := range p.Failed {
			got[e.Item] = append(got[e.Item], i)
		}
		slices.Sort(got[e.Item])
	}
	want := map[int][]int{1: {0, 2}, 2: {2}, 3: {0, 1, 2}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("failed documents by item: %v, want %v", got, want)
	}
}

func TestPartialErrorThatFitsNothingFailsAll(t *testing.T) {
	for name, failed := range map[string]map[int]error{
		"names none": {}, "out of range": {7: errBroken}, "negative": {-1: errBroken},
	} {
		t.Run(name, func(t *testing.T) {
			line := newWorld().pipeline(pipeline.Batched(1, 1, 4, time.Hour))
			line.Writer = pipeline.WriterFunc[doc](func(context.Context, []doc) error {
				return &pipeline.PartialError{Failed: failed}
			})
			_, err := line.Run(t.Context(), []int{1, 2, 3})
			if n := len(itemErrors(err)); n != 3 {
				t.Errorf("%d items failed, want 3: %v", n, err)
			}
		})
	}
}

func TestPanicOfAnItemHasItsStack(t *testing.T) {
	forEachStrategy(t, func(t *testing.T, s pipeline.Strategy) {
		w := newWorld()
		w.fetch = func(item int) behavior { return [...]behavior{panics, works}[item] }
		w.write = func(doc) behavior { return panics }
		_, err := w.pipeline(s).Run(t.Context(), []int{0, 1})
		errs := itemErrors(err)
		if len(errs) != 2 || errs[0].Stage != pipeline.StageFetch || errs[1].Stage != pipeline.StageWrite {
			t.Fatal(err)
		}
		for _, e := range errs {
			var p *pipeline.PanicError
			if !errors.As(e, &p) || p.Value != "broken" || !strings.Contains(string(p.Stack), "behavior.act") {
				t.Errorf("no panic with its stack: %v", e)
			}
		}
	})
}

type panickingObserver struct{}

func (panickingObserver) Item(int, pipeline.Timing) { panic("the observer's") }

// A panic outside Fetcher and Writer stops the run, lets started items finish, and is
// raised in the caller.
func TestOtherPanicsComeToTheCaller(t *testing.T) {
	forEachStrategy(t, func(t *testing.T, s pipeline.Strategy) {
		for name, start := range map[string]func(*pipeline.Pipeline[int, doc]){
			"the observer's": func(p *pipeline.Pipeline[int, doc]) {
				p.Observer = panickingObserver{}
				_, _ = p.Run(context.Background(), slices.Collect(upTo(100)))
			},
			"the callback's": func(p *pipeline.Pipeline[int, doc]) {
				_ = p.Stream(context.Background(), upTo(100), func(pipeline.Outcome[int, doc]) { panic("the callback's") })
			},
			"the source's": func(p *pipeline.Pipeline[int, doc]) {
				_ = p.Stream(context.Background(), func(yield func(int) bool) {
					for i := 0; i < 5; i++ {
						yield(i)
					}
					panic("the source's")
				}, nil)
			},
		} {
			w := newWorld()
			func() {
				defer func() {
					p, ok := recover().(*pipeline.PanicError)
					if !ok || p.Value != name {
						t.Errorf("%s panic did not come: %v", name, p)
					}
				}()
				start(w.pipeline(s))
			}()
			if w.fetching+w.writing+len(w.items) > 0 {
				t.Errorf("%s panic: not drained", name)
			}
		}
	})
}

func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i < n && yield(i); i++ {
		}
	}
}

// Goexit in the callback, as called by t.FailNow, must neither hang the run nor lose outcomes.
func TestGoexitInTheCallback(t *testing.T) {
	forEachStrategy(t, func(t *testing.T, s pipeline.Strategy) {
		seen := map[int]bool{}
		err := newWorld().pipeline(s).Stream(t.Context(), upTo(40), func(o pipeline.Outcome[int, doc]) {
			seen[o.Item] = true
			_ = exits.act()
		})
		if err != nil || len(seen) != 40 {
			t.Errorf("%d of 40 outcomes, error %v", len(seen), err)
		}
	})
}

func TestCanceledBeforeItStarts(t *testing.T) {
	forEachStrategy(t, func(t *testing.T, s pipeline.Strategy) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errBroken)
		w := newWorld()
		values, err := w.pipeline(s).Run(ctx, []int{1, 2, 1})
		if len(itemErrors(err)) != 2 || len(values) != 3 || len(w.fetched) > 0 {
			t.Errorf("%d values, %d fetched, error %v", len(values), len(w.fetched), err)
		}
		if !errors.Is(err, pipeline.ErrNotStarted) || !errors.Is(err, errBroken) || pipeline.ErrorType(err) != "canceled" {
			t.Errorf("%v does not say that and why nothing was started", err)
		}
	})
}

// The context of Fetcher and Writer is not canceled, but carries the caller's values.
func TestRunningItemsDoNotSeeTheCancellation(t *testing.T) {
	type key struct{}
	forEachStrategy(t, func(t *testing.T, s pipeline.Strategy) {
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		line := newWorld().pipeline(s)
		wrong := func(ctx context.Context) error {
			cancel()
			if ctx.Err() != nil || ctx.Value(key{}) != "value" {
				return fmt.Errorf("context of the work: %v, value %v", ctx.Err(), ctx.Value(key{}))
			}
			return nil
		}
		line.Fetcher = pipeline.FetcherFunc[int, doc](func(ctx context.Context, item int) ([]doc, error) {
			return []doc{{item, 0}}, wrong(ctx)
		})
		line.Writer = pipeline.WriterFunc[doc](func(ctx context.Context, _ []doc) error { return wrong(ctx) })
		line.Observer = &timings{}
		values, err := line.Run(ctx, []int{7})
		if err != nil || len(values[0]) != 1 {
			t.Errorf("%v, %v", values, err)
		}
	})
}

func TestCanceledStreamReturnsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := newWorld()
	w.onFetch = func(item int) {
		if item == 50 {
			cancel()
		}
	}
	err := w.pipeline(pipeline.Bounded(2)).Stream(ctx, endless(ctx), nil)
	var failures *pipeline.Failures
	if !errors.As(err, &failures) || failures.Failed != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestFailuresAreBounded(t *testing.T) {
	w := newWorld()
	w.fetch = func(int) behavior { return fails }
	err := w.pipeline(pipeline.Bounded(2)).Stream(t.Context(), upTo(1000), nil)
	var failures *pipeline.Failures
	if !errors.As(err, &failures) || failures.Failed != 1000 || len(failures.First) != 100 || !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
}
