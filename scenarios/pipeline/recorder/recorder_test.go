package recorder_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/recorder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

var epoch = time.Date(2017, 3, 4, 5, 6, 7, 0, time.UTC)

// item is an item that starts at a time and spends 1 to 5 times unit in its stages.
func item(start, unit time.Duration) pipeline.Timing {
	return pipeline.Timing{
		Start: epoch.Add(start), End: epoch.Add(start + 14*unit), Wrote: true,
		Queue: unit, Fetch: 2 * unit, Handoff: 3 * unit, PoolWait: 4 * unit, Write: 5 * unit,
	}
}

func TestSummaryMergesWorkers(t *testing.T) {
	r := recorder.New()
	var wg sync.WaitGroup
	for worker := range 50 {
		wg.Go(func() {
			for i := range 20 {
				r.Item(worker, item(time.Duration(worker*20+i)*ms, 10*ms))
			}
		})
	}
	wg.Wait()
	s := r.Summary()
	if s.Done != 1000 || s.Failed != 0 || s.Makespan != 999*ms+140*ms || !s.Started.Equal(epoch) || s.Warnings != nil {
		t.Errorf("%d done, %d failed, makespan %v from %v, warnings %v", s.Done, s.Failed, s.Makespan, s.Started, s.Warnings)
	}
	for name, want := range map[string]time.Duration{
		"queue": 10 * ms, "fetch": 20 * ms, "handoff": 30 * ms, "pool_wait": 40 * ms, "write": 50 * ms, "item": 140 * ms,
	} {
		h := s.Histograms[name]
		if got := time.Duration(h.ValueAtQuantile(50)); h.TotalCount() != 1000 || (got-want).Abs() > want/1000 {
			t.Errorf("%s: %d values, median %v, want 1000 of %v", name, h.TotalCount(), got, want)
		}
	}
	if len(s.Histograms) != len(recorder.Stages()) {
		t.Errorf("%d histograms", len(s.Histograms))
	}
}

func TestStagesThatWereNotReachedAreNotRecorded(t *testing.T) {
	r := recorder.New()
	r.Item(0, pipeline.Timing{Start: epoch, End: epoch.Add(ms), Fetch: ms, Err: errors.New("no"), Stage: pipeline.StageFetch})
	s := r.Summary()
	for name, want := range map[string]int64{"queue": 1, "fetch": 1, "handoff": 0, "pool_wait": 0, "write": 0, "item": 1} {
		if got := s.Histograms[name].TotalCount(); got != want {
			t.Errorf("%s: %d values, want %d", name, got, want)
		}
	}
}

func TestFailuresByTypeAndSide(t *testing.T) {
	r := recorder.New()
	fail := func(worker int, end time.Duration, stage pipeline.Stage, err error) {
		r.Item(worker, pipeline.Timing{Start: epoch, End: epoch.Add(end), Err: err, Stage: stage})
	}
	fail(3, 9*ms, pipeline.StageFetch, fmt.Errorf("later: %w", syscall.EMFILE))
	fail(8, 4*ms, pipeline.StageFetch, fmt.Errorf("earlier: %w", syscall.EMFILE))
	fail(3, 7*ms, pipeline.StageWrite, fmt.Errorf("write: %w", syscall.EMFILE))
	fail(1, 2*ms, pipeline.StageFetch, errors.New(strings.Repeat("é", 1000)))
	s := r.Summary()
	if s.Done != 0 || s.Failed != 4 {
		t.Errorf("%d done, %d failed", s.Done, s.Failed)
	}
	var got []string
	for _, f := range s.Failures {
		sample, _, _ := strings.Cut(f.Sample, ":")
		got = append(got, fmt.Sprintf("%s %s %d at %v: %d", f.Type, f.Side, f.Count, f.First, min(len(sample), 100)))
	}
	want := []string{"other upstream 1 at 2ms: 100", "emfile upstream 2 at 4ms: 7", "emfile mongo 1 at 7ms: 5"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if n := len(s.Failures[0].Sample); n > 503 {
		t.Errorf("a sample of %d bytes", n)
	}
}

func TestValuesOutOfRangeAreClampedAndCounted(t *testing.T) {
	r := recorder.New()
	r.Item(0, pipeline.Timing{Start: epoch, End: epoch.Add(2 * time.Hour), Queue: -ms, Fetch: 2 * time.Hour})
	s := r.Summary()
	if len(s.Warnings) != 3 || !strings.HasPrefix(s.Warnings[0], "queue: 1 values") {
		t.Errorf("warnings %q", s.Warnings)
	}
	if most := time.Duration(s.Histograms["fetch"].Max()); (most - time.Hour).Abs() > time.Hour/1000 {
		t.Errorf("fetch: %v", most)
	}
}

func TestNothingRecorded(t *testing.T) {
	s := recorder.New().Summary()
	if s.Makespan != 0 || !s.Started.IsZero() || s.Done+s.Failed != 0 || len(s.Histograms) != 6 {
		t.Errorf("%+v", s)
	}
}

// A recorder observes the run of a pipeline.
func TestInAPipeline(t *testing.T) {
	r := recorder.New()
	p := pipeline.Pipeline[int, int]{
		Fetcher: pipeline.FetcherFunc[int, int](func(_ context.Context, n int) ([]int, error) {
			if n%10 == 0 {
				return nil, errors.New("no")
			}
			return []int{n}, nil
		}),
		Writer:   pipeline.WriterFunc[int](func(context.Context, []int) error { return nil }),
		Strategy: pipeline.Unbounded(),
		Observer: r,
	}
	items := make([]int, 200)
	for i := range items {
		items[i] = i
	}
	_, _ = p.Run(t.Context(), items)
	s := r.Summary()
	if s.Done != 180 || s.Failed != 20 || s.Histograms["item"].TotalCount() != 200 || s.Makespan <= 0 {
		t.Errorf("%d done, %d failed, %d items, makespan %v", s.Done, s.Failed, s.Histograms["item"].TotalCount(), s.Makespan)
	}
}
