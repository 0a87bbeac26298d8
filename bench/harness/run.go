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
//   - leaked-fds, the descriptors that a batch left open, in the mean of the measured
//     batches. Connections that the first batch left in a pool do not count,
//     but those by which the pool grew later do;
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
		b.Fatal("harness: there are no items: a batch needs at least one")
	}
	if s.share < 0 || s.share > 1 || s.share != s.share {
		b.Fatalf("harness: the share of AllowErrors must be from 0 to 1 (got %g)", s.share)
	}
	count := countDescriptors(b)
	defer count.stop()
	batch := func(r *recorder.Recorder) {
		observed := *p
		if observed.Observer = r; p.Observer != nil {
			observed.Observer = observers{p.Observer, r}
		}
		if _, err := observed.Run(b.Context(), items); err != nil && r.Summary().Failed == 0 {
			b.Fatal("harness: ", err)
		}
	}
	warmUp := recorder.New()
	batch(warmUp)
	s.judge(b, warmUp.Summary())
	count.warm()
	r, batches := recorder.New(), 0
	for b.Loop() {
		batch(r)
		batches++
	}
	sum := r.Summary()
	m := Measurement{Batches: batches, Latency: sum.Histograms["item"], Errors: sum.Failed}
	m.Peak, m.Leaked = count.counts()
	m.Report(b)
	s.judge(b, sum)
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

// Descriptors are counted again for up to leakTimeout until those of a batch are closed,
// and count as settled when none is closed for so long.
const (
	leakTimeout = 2 * time.Second
	settled     = 100 * time.Millisecond
)

// descriptors counts those of this process; without a sampler, they cannot be counted.
type descriptors struct {
	b       *testing.B
	sampler *probe.Sampler
	base    probe.Baseline // after the first batch
}

// countDescriptors begins to count.
func countDescriptors(b *testing.B) *descriptors {
	b.Helper()
	d := &descriptors{b: b}
	var err error
	d.sampler, err = probe.Start(probe.Target{PID: os.Getpid()}, probe.Options{})
	d.check(err)
	return d
}

// check gives up counting if there is an error.
func (d *descriptors) check(err error) {
	if err == nil {
		return
	}
	d.b.Helper()
	d.b.Logf("harness: %s and %s are left out, because descriptors cannot be counted here: %v", unitPeak, unitLeaked, err)
	d.stop()
	d.sampler = nil
}

// warm takes what is open now, after the first batch, as what may stay open.
func (d *descriptors) warm() {
	if d.sampler == nil {
		return
	}
	n, err := d.sampler.Count()
	for err == nil { // those that are being closed do not count
		var fewer int
		if fewer, err = d.sampler.WaitFor(n-1, settled); fewer >= n {
			break
		}
		n = fewer
	}
	if err == nil {
		d.base, err = d.sampler.Baseline()
	}
	d.check(err)
}

// counts returns the peak, and how many descriptors are open since warm; nil means unknown.
func (d *descriptors) counts() (peak, leaked *int) {
	if d.sampler == nil {
		return nil, nil
	}
	left, err := d.sampler.Leftover(d.base, leakTimeout)
	if d.check(err); err != nil {
		return nil, nil
	}
	return new(d.sampler.Stop().Peak), &left.Count
}

func (d *descriptors) stop() {
	if d.sampler != nil {
		d.sampler.Stop()
	}
}
