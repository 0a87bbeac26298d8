package harness

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"floodgate/bench/probe"
	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/recorder"
)

// Option changes how [Run] or [Pipeline] runs items.
type Option func(*settings)

type settings struct {
	strategy *pipeline.Strategy // nil means sequential
	share    float64            // of items that may fail
}

// Limit has Run call its function for up to n items at the same time. Without it,
// there is one call at a time. It does not apply to Pipeline, whose Strategy has the
// limit.
func Limit(n int) Option {
	return func(s *settings) { s.strategy = new(pipeline.Bounded(n)) }
}

// AllowErrors lets a share of the items fail, from 0 to 1: up to it, failures are only
// counted in the metric errors. Without it, one failed item fails the benchmark.
func AllowErrors(share float64) Option {
	return func(s *settings) { s.share = share }
}

// Run measures batches of calls of f, one for each item, in b.Loop: one operation is
// a batch, so ns/op is the time of a batch. A batch that is not measured comes first,
// to fill caches and pools of connections. f gets the context of b, and is called by
// several goroutines at once with [Limit].
//
// Run reports, through [testing.B.ReportMetric]:
//
//   - p50-ns and p99-ns, the latency of an item;
//   - peak-fds, the most descriptors of this process at a time, counted every 5 ms. Those
//     of the test binary are among them, with its pipes and connections to the
//     servers of [Start], but not those of the servers;
//   - leaked-fds, the descriptors that a batch leaves open, in the mean. A pool of
//     connections that grows and stops growing is not a leak: after measured
//     batches that left something open, more batches run, unmeasured, for as long as
//     they do so too, three by three up to nine, of which the last three count;
//   - errors, the failed items of a batch in the mean.
//
// Where the system does not tell the number of descriptors, the log of b says so.
//
// A failed item fails the benchmark, which then has no result, unless [AllowErrors]
// permits it. An f that panics fails its item.
func Run[T any](b *testing.B, items []T, f func(ctx context.Context, item T) error, options ...Option) {
	b.Helper()
	s := newSettings(options)
	strategy := pipeline.Sequential()
	if s.strategy != nil {
		strategy = *s.strategy
	}
	ctx := b.Context()
	p := &pipeline.Pipeline[int, struct{}]{
		// The context of a Fetcher is not canceled.
		Fetcher: pipeline.FetcherFunc[int, struct{}](func(_ context.Context, i int) ([]struct{}, error) {
			return nil, f(ctx, items[i])
		}),
		Writer:         pipeline.WriterFunc[struct{}](func(context.Context, []struct{}) error { return nil }),
		Strategy:       strategy,
		AssumeDistinct: true,
	}
	indices := make([]int, len(items))
	for i := range indices {
		indices[i] = i
	}
	run(b, p, indices, s)
}

// Pipeline measures batches of p.Run with the items, and reports the same metrics as
// [Run]. The latency of an item is the time from the start of its fetch to the end of
// its write. An item that occurs more than once is fetched and counted once. An
// Observer of p is notified as well.
func Pipeline[I comparable, D any](b *testing.B, p *pipeline.Pipeline[I, D], items []I, options ...Option) {
	b.Helper()
	s := newSettings(options)
	if s.strategy != nil {
		b.Fatal("harness: Limit does not apply to Pipeline: set the limit in the pipeline's Strategy")
	}
	run(b, p, items, s)
}

func newSettings(options []Option) settings {
	var s settings
	for _, o := range options {
		o(&s)
	}
	return s
}

func run[I comparable, D any](b *testing.B, p *pipeline.Pipeline[I, D], items []I, s settings) {
	b.Helper()
	if len(items) == 0 {
		b.Fatal("harness: a batch needs at least one item (got 0)")
	}
	if s.share < 0 || s.share > 1 || s.share != s.share {
		b.Fatalf("harness: the share of AllowErrors must be from 0 to 1 (got %g)", s.share)
	}
	count := descriptors{b: b}
	count.start()
	defer count.stop()
	batch := func(r *recorder.Recorder) {
		observed := *p
		if observed.Observer = r; p.Observer != nil {
			observed.Observer = observers{p.Observer, r}
		}
		if _, err := observed.Run(b.Context(), items); err != nil && r.Summary().Failed == 0 {
			b.Fatalf("harness: %v", err)
		}
	}
	unmeasured := func() {
		r := recorder.New()
		batch(r)
		s.judge(b, r.Summary())
	}
	unmeasured()
	count.warm()
	r, batches := recorder.New(), 0
	for b.Loop() {
		batch(r)
		batches++
	}
	sum := r.Summary()
	s.judge(b, sum)
	m := Measurement{Latency: sum.Histograms["item"], Errors: float64(sum.Failed) / float64(batches)}
	m.Peak = count.peak()
	m.Leaked = count.leaked(batches, unmeasured)
	m.Report(b)
}

// observers notifies both.
type observers [2]pipeline.Observer

func (o observers) Item(worker int, t pipeline.Timing) {
	o[0].Item(worker, t)
	o[1].Item(worker, t)
}

// judge fails the benchmark if more items failed than may.
func (s settings) judge(b *testing.B, sum recorder.Summary) {
	b.Helper()
	all := sum.Done + sum.Failed
	if float64(sum.Failed) <= s.share*float64(all) {
		return
	}
	var text strings.Builder
	fmt.Fprintf(&text, "harness: %d of %d items failed", sum.Failed, all)
	if s.share > 0 {
		fmt.Fprintf(&text, ", and AllowErrors permits %g %%", 100*s.share)
	}
	for _, f := range sum.Failures {
		fmt.Fprintf(&text, "\n%d × %s, such as: %s", f.Count, f.Type, f.Sample)
	}
	b.Fatal(text.String())
}

// settled is the time without a closed descriptor after which none is being closed.
const settled = 100 * time.Millisecond

// A leak is confirmed by rounds of batches that all leave descriptors open.
const (
	rounds       = 3
	roundBatches = 3
)

// descriptors counts those of this process.
type descriptors struct {
	b       *testing.B
	sampler *probe.Sampler // nil means that they cannot be counted
	base    probe.Baseline // after the first batch
}

// start begins to count.
func (d *descriptors) start() {
	var err error
	d.sampler, err = probe.Start(probe.Target{PID: os.Getpid()}, probe.Options{})
	d.check(err)
}

// check gives up counting if there is an error.
func (d *descriptors) check(err error) {
	if err == nil {
		return
	}
	d.b.Logf("harness: %s or %s is left out, because descriptors cannot be counted here: %v", unitPeak, unitLeaked, err)
	d.stop()
}

func (d *descriptors) stop() {
	if d.sampler != nil {
		d.sampler.Stop()
		d.sampler = nil
	}
}

// settle waits until no descriptor is being closed.
func (d *descriptors) settle() error {
	n, err := d.sampler.Count()
	for err == nil {
		var fewer int
		if fewer, err = d.sampler.WaitFor(n-1, settled); fewer >= n {
			break
		}
		n = fewer
	}
	return err
}

// warm takes the descriptors that are open now as those that may stay open.
func (d *descriptors) warm() {
	if d.sampler == nil {
		return
	}
	err := d.settle()
	if err == nil {
		d.base, err = d.sampler.Baseline()
	}
	d.check(err)
}

// grown returns the number of descriptors that are open beyond those of warm.
func (d *descriptors) grown() int {
	if d.sampler == nil {
		return 0
	}
	var left probe.Leftover
	err := d.settle()
	if err == nil {
		left, err = d.sampler.Leftover(d.base, 0)
	}
	d.check(err)
	return left.Count
}

// peak returns the highest number since start; nil means unknown.
func (d *descriptors) peak() *int {
	if d.sampler == nil {
		return nil
	}
	n := d.sampler.Stop().Peak
	d.start() // batches that confirm a leak do not count
	return &n
}

// leaked returns the number that a batch leaves open, after so many batches since warm;
// nil means unknown. It confirms a leak by further batches.
func (d *descriptors) leaked(batches int, batch func()) *float64 {
	grown := d.grown()
	for range rounds {
		if grown == 0 {
			break
		}
		d.warm()
		for range roundBatches {
			batch()
		}
		grown, batches = d.grown(), roundBatches
	}
	if d.sampler == nil {
		return nil
	}
	return new(float64(grown) / float64(batches))
}
