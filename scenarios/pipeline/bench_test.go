package pipeline_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/recorder"
)

// batch is the number of items in one operation of a benchmark.
const batch = 20_000

func trivial(s pipeline.Strategy) *pipeline.Pipeline[int, int] {
	one := []int{1}
	return &pipeline.Pipeline[int, int]{
		Fetcher:  pipeline.FetcherFunc[int, int](func(context.Context, int) ([]int, error) { return one, nil }),
		Writer:   pipeline.WriterFunc[int](func(context.Context, []int) error { return nil }),
		Strategy: s,
	}
}

// bare is the hand-written equivalent: an errgroup with a limit and values in order.
func bare(p *pipeline.Pipeline[int, int], limit int, items []int) ([][]int, error) {
	var g errgroup.Group
	g.SetLimit(limit)
	ctx := context.Background()
	values := make([][]int, len(items))
	for i, item := range items {
		g.Go(func() error {
			docs, err := p.Fetcher.Fetch(ctx, item)
			if err != nil {
				return err
			}
			values[i] = docs
			return p.Writer.Write(ctx, docs)
		})
	}
	return values, g.Wait()
}

// BenchmarkOverhead alternates between each strategy and an errgroup of the same limit.
// x-errgroup is the ratio of their times; ns/item is the strategy's time.
func BenchmarkOverhead(b *testing.B) {
	for _, s := range []pipeline.Strategy{
		pipeline.Sequential(), pipeline.Joined(10), pipeline.Bounded(10), pipeline.Bounded(300), pipeline.Unbounded(),
		pipeline.Staged(10, 2, 10), pipeline.Batched(10, 2, 100, time.Millisecond),
	} {
		b.Run("strategy="+s.String(), func(b *testing.B) {
			items := make([]int, batch)
			for i := range items {
				items[i] = i
			}
			p, limit := trivial(s), max(s.Limit, 1)
			if s.Kind == pipeline.KindUnbounded {
				limit = -1
			}
			compare(b, "x-errgroup", func() error {
				_, err := bare(p, limit, items)
				return err
			}, func() error {
				_, err := p.Run(context.Background(), items)
				return err
			})
		})
	}
}

// BenchmarkObserver measures the cost of a recorder per item under bounded(10).
func BenchmarkObserver(b *testing.B) {
	items := make([]int, batch)
	for i := range items {
		items[i] = i
	}
	without, with := trivial(pipeline.Bounded(10)), trivial(pipeline.Bounded(10))
	with.Observer = recorder.New()
	alone, observed := compare(b, "x-unobserved", func() error {
		_, err := without.Run(context.Background(), items)
		return err
	}, func() error {
		_, err := with.Run(context.Background(), items)
		return err
	})
	b.ReportMetric(float64((observed-alone).Nanoseconds())/float64(b.N)/batch, "added-ns/item")
}

// compare runs both once per operation and reports the ratio of their times.
func compare(b *testing.B, unit string, reference, subject func() error) (one, other time.Duration) {
	timed := func(f func() error) time.Duration {
		begin := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
	for b.Loop() {
		one += timed(reference)
		other += timed(subject)
	}
	b.ReportMetric(float64(other)/float64(one), unit)
	b.ReportMetric(float64(other.Nanoseconds())/float64(b.N)/batch, "ns/item")
	return one, other
}
