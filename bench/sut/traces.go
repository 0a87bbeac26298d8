package sut

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/propagation"
	oteltrace "go.opentelemetry.io/otel/trace"

	"floodgate/results/trace"
	"floodgate/scenarios/pipeline"
)

// TraceSpec requests the times of single items of the built-in SUT.
type TraceSpec struct {
	// Seed is that of the IDs of traces, each of which is one of an item. A service continues
	// the traces of its requests instead.
	Seed uint64 `json:"seed"`
	trace.Sampling
}

// Traced holds the times of one item or, of a service, of the items of one report.
type Traced struct {
	// Number is that of the item in the trial.
	Number uint64 `json:"number"`
	// Slow means that it is among the slowest.
	Slow bool `json:"slow,omitempty"`
	// Parent is the header traceparent of the request of a report, and Start and End are
	// when the report was admitted and done, in nanoseconds of Unix time; empty and zero
	// means an item alone.
	Parent string `json:"parent,omitempty"`
	Start  int64  `json:"start_ns,omitempty"`
	End    int64  `json:"end_ns,omitempty"`
	// Error is the type of the report's error; empty means none.
	Error string `json:"error,omitempty"`
	// Items are the item or the slowest ones of the report, at most 20.
	Items []ItemTimes `json:"items"`
}

// maxReportItems bounds the items of a report of which times are kept.
const maxReportItems = 20

// ItemTimes holds the times of one item, which follow each other.
type ItemTimes struct {
	// Index is its position in its report, from 0.
	Index int `json:"index"`
	// Start is when its fetch began, in nanoseconds of Unix time.
	Start    int64         `json:"start_ns"`
	Queue    time.Duration `json:"queue_ns"` // before Start
	Fetch    time.Duration `json:"fetch_ns"`
	Handoff  time.Duration `json:"handoff_ns,omitempty"`
	PoolWait time.Duration `json:"pool_wait_ns,omitempty"`
	Write    time.Duration `json:"write_ns,omitempty"`
	// Wrote means that the write was started.
	Wrote bool `json:"wrote,omitempty"`
	// Error is the type of the error of its fetch or, if it wrote, of its write; empty means
	// none.
	Error string `json:"error,omitempty"`
}

// timesOf returns the times of an item.
func timesOf(t pipeline.Timing) ItemTimes {
	i := ItemTimes{
		Index: t.Index, Start: t.Start.UnixNano(), Queue: t.Queue, Fetch: t.Fetch,
		Handoff: t.Handoff, PoolWait: t.PoolWait, Write: t.Write, Wrote: t.Wrote,
	}
	if t.Err != nil {
		i.Error = pipeline.ErrorType(t.Err)
	}
	return i
}

// Work returns the time from the start of the fetch to the end.
func (i ItemTimes) Work() time.Duration { return i.Fetch + i.Handoff + i.PoolWait + i.Write }

// check returns an error about times that are impossible.
func (t Traced) check() error {
	if t.Start < 0 || t.End < t.Start || len(t.Items) > maxReportItems {
		return fmt.Errorf("traced report lasts from %d to %d, with %d items", t.Start, t.End, len(t.Items))
	}
	if t.Parent == "" && len(t.Items) != 1 {
		return fmt.Errorf("traced item %d has times of %d items", t.Number, len(t.Items))
	}
	for _, i := range t.Items {
		if i.Index < 0 || i.Start < 0 || min(i.Queue, i.Fetch, i.Handoff, i.PoolWait, i.Write) < 0 || max(i.Queue, i.Fetch, i.Handoff, i.PoolWait, i.Write) > maxTraced {
			return fmt.Errorf("traced item %d has impossible times: %+v", t.Number, i)
		}
	}
	return nil
}

// maxTraced bounds each time of a traced item.
const maxTraced = 24 * time.Hour

// tracing traces the items of a core.
type tracing struct {
	spec TraceSpec
	ids  trace.IDs
	kept *trace.Keeper[Traced]
	// reports counts the reports of a service.
	reports atomic.Uint64
}

func newTracing(spec TraceSpec) *tracing {
	return &tracing{spec: spec, ids: trace.NewIDs(spec.Seed), kept: trace.NewKeeper[Traced](spec.Slowest)}
}

// originKey is the context key of an origin.
type originKey struct{}

// origin is what the traces of a batch of items follow from.
type origin struct {
	first  uint64                // the number of the first item in the trial
	parent oteltrace.SpanContext // the request of a report; invalid means that items have traces of their own
}

// traceparent returns the header of a fetch; empty means that it belongs to no trace.
func (t *tracing) traceparent(ctx context.Context) string {
	from, ok := ctx.Value(originKey{}).(origin)
	index, indexed := pipeline.Index(ctx)
	if !ok || !indexed {
		return ""
	}
	if p := from.parent; p.IsValid() {
		id := trace.ID(p.TraceID())
		return trace.Parent(id, trace.SpanOf(id, trace.NumberOf(index, trace.StageFetch)), p.IsSampled())
	}
	n := from.first + uint64(index)
	id := t.ids.Trace(n)
	return trace.Parent(id, trace.SpanOf(id, trace.NumberOf(0, trace.StageFetch)), t.spec.Chosen(n))
}

// items returns the context of a batch of items, and an observer of them that passes
// everything on to next.
func (t *tracing) items(ctx context.Context, first int, next pipeline.Observer) (context.Context, pipeline.Observer) {
	from := origin{first: uint64(first)}
	return context.WithValue(ctx, originKey{}, from), &itemTracer{next: next, tracing: t, first: from.first}
}

// itemTracer keeps the times of items that have traces of their own.
type itemTracer struct {
	next    pipeline.Observer
	tracing *tracing
	first   uint64
}

// Item passes on an item, and keeps its times if they are wanted.
func (o *itemTracer) Item(worker int, t pipeline.Timing) {
	o.next.Item(worker, t)
	n := o.first + uint64(t.Index)
	o.tracing.kept.Add(n, o.tracing.spec.Chosen(n), t.End.Sub(t.Start), func() Traced {
		times := timesOf(t)
		times.Index = 0
		return Traced{Number: n, Items: []ItemTimes{times}}
	})
}

// report begins to trace the report of a request. See service.Options.Trace.
func (t *tracing) report(r *http.Request) (ctx context.Context, items pipeline.Observer, end func(error)) {
	ctx = r.Context()
	parent := oteltrace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(r.Header)))
	if !parent.IsValid() {
		return ctx, nil, func(error) {}
	}
	began := time.Now()
	o := &reportTracer{}
	return context.WithValue(ctx, originKey{}, origin{parent: parent}), o, func(err error) {
		took := time.Since(began)
		t.kept.Add(t.reports.Add(1), parent.IsSampled(), took, func() Traced {
			done := Traced{
				Parent: trace.Parent(trace.ID(parent.TraceID()), trace.SpanID(parent.SpanID()), parent.IsSampled()),
				Start:  began.UnixNano(), End: began.Add(took).UnixNano(), Items: o.slowest(),
			}
			if err != nil {
				done.Error = reportError(err)
			}
			return done
		})
	}
}

// reportError returns the type of the error of a report: that of its first item that failed.
func reportError(err error) string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		if all := joined.Unwrap(); len(all) > 0 {
			err = all[0]
		}
	}
	return pipeline.ErrorType(err)
}

// reportTracer keeps the times of the items of one report.
type reportTracer struct {
	mu    sync.Mutex
	items []ItemTimes
}

// Item keeps the times of an item.
func (o *reportTracer) Item(_ int, t pipeline.Timing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.items = append(o.items, timesOf(t))
	if len(o.items) >= 2*maxReportItems {
		o.cut()
	}
}

// cut leaves the slowest. The caller holds the lock.
func (o *reportTracer) cut() {
	slices.SortFunc(o.items, func(a, b ItemTimes) int {
		return cmp.Or(cmp.Compare(b.Work(), a.Work()), cmp.Compare(a.Index, b.Index))
	})
	o.items = o.items[:min(len(o.items), maxReportItems)]
}

// slowest returns the slowest items, by their positions.
func (o *reportTracer) slowest() []ItemTimes {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cut()
	items := slices.Clone(o.items)
	slices.SortFunc(items, func(a, b ItemTimes) int { return cmp.Compare(a.Index, b.Index) })
	return items
}

// result returns the items or reports whose times are kept.
func (t *tracing) result() []Traced {
	var all []Traced
	for _, k := range t.kept.Kept() {
		k.Value.Slow = k.Slow
		all = append(all, k.Value)
	}
	return all
}
