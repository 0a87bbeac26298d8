// Package tracing makes the spans of traces with OpenTelemetry's SDK, after the work that they
// describe:
//
//	b := tracing.New()
//	item := b.Trace(id, tracing.Span{Number: 16, Service: "floodgate.sut", Name: trace.Item, Start: from, End: to})
//	item.Add(tracing.Span{Number: 18, Name: trace.Fetch, Kind: trace.Client, Start: from, End: between})
//	all := b.Traces()
//
// The times are those that were measured, so that nothing is created while a trial runs but
// the header traceparent of its requests.
package tracing

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"floodgate/results/trace"
)

// Span is a span to be made.
type Span struct {
	// Number is unique in the trace. It determines the ID: see [trace.SpanOf].
	Number uint64
	// Service is the name of the program that worked; empty means that of the parent.
	Service string
	Name    string
	Kind    trace.Kind // zero means internal
	// Start and End are in nanoseconds of Unix time. They are moved into those of the parent,
	// whose clock may have been read by another program.
	Start, End int64
	Attributes []trace.Attribute
	// Error is the type of the error that it ended with; empty means none.
	Error string
}

// Builder makes spans. It is not safe for concurrent use. Use New.
type Builder struct {
	provider *sdk.TracerProvider
	ended    *collector
}

// New returns a Builder without traces.
func New() *Builder {
	ended := &collector{}
	return &Builder{ended: ended, provider: sdk.NewTracerProvider(
		sdk.WithSampler(sdk.AlwaysSample()), // the environment names none: what is kept is decided already
		sdk.WithIDGenerator(given{}), sdk.WithSpanProcessor(ended),
		sdk.WithRawSpanLimits(sdk.SpanLimits{
			AttributeValueLengthLimit: -1, AttributeCountLimit: -1, EventCountLimit: -1, LinkCountLimit: -1,
			AttributePerEventCountLimit: -1, AttributePerLinkCountLimit: -1,
		}),
	)}
}

// Parent is a span to which others can be added.
type Parent struct {
	builder *Builder
	context oteltrace.SpanContext
	span    Span
}

// Trace begins a trace with its root.
func (b *Builder) Trace(id trace.ID, root Span) *Parent {
	return b.add(context.WithValue(context.Background(), idsKey{}, ids{id, root.Number}), root, oteltrace.WithNewRoot())
}

// Add adds a part of a span.
func (p *Parent) Add(s Span) *Parent {
	if s.Service == "" {
		s.Service = p.span.Service
	}
	s.Start = min(max(s.Start, p.span.Start), p.span.End)
	s.End = min(max(s.End, s.Start), p.span.End)
	id := trace.ID(p.context.TraceID())
	ctx := oteltrace.ContextWithSpanContext(context.Background(), p.context)
	return p.builder.add(context.WithValue(ctx, idsKey{}, ids{id, s.Number}), s)
}

func (b *Builder) add(ctx context.Context, s Span, more ...oteltrace.SpanStartOption) *Parent {
	s.End = max(s.End, s.Start)
	options := append(more, oteltrace.WithTimestamp(time.Unix(0, s.Start)), oteltrace.WithSpanKind(kinds[s.Kind]), oteltrace.WithAttributes(attributes(s.Attributes)...))
	_, span := b.provider.Tracer(s.Service).Start(ctx, s.Name, options...)
	if s.Error != "" {
		span.SetAttributes(attribute.String(trace.KeyError, s.Error))
		span.SetStatus(codes.Error, s.Error)
	}
	span.End(oteltrace.WithTimestamp(time.Unix(0, s.End)))
	return &Parent{b, span.SpanContext(), s}
}

var kinds = map[trace.Kind]oteltrace.SpanKind{
	0: oteltrace.SpanKindInternal, trace.Internal: oteltrace.SpanKindInternal, trace.Server: oteltrace.SpanKindServer, trace.Client: oteltrace.SpanKindClient,
}

func attributes(all []trace.Attribute) []attribute.KeyValue {
	made := make([]attribute.KeyValue, 0, len(all))
	for _, a := range all {
		switch v := a.Value.(type) {
		case string:
			made = append(made, attribute.String(a.Key, v))
		case int64:
			made = append(made, attribute.Int64(a.Key, v))
		case bool:
			made = append(made, attribute.Bool(a.Key, v))
		}
	}
	return made
}

// Traces returns the traces, in the order in which they were begun.
func (b *Builder) Traces() []trace.Trace {
	var all []trace.Trace
	at := map[trace.ID]int{}
	for _, s := range b.ended.spans {
		span := spanOf(s)
		i, known := at[span.Trace]
		if !known {
			i = len(all)
			at[span.Trace] = i
			all = append(all, trace.Trace{})
		}
		all[i].Spans = append(all[i].Spans, span)
	}
	return all
}

// spanOf converts a span of the SDK.
func spanOf(s sdk.ReadOnlySpan) trace.Span {
	made := trace.Span{
		Trace: trace.ID(s.SpanContext().TraceID()), ID: trace.SpanID(s.SpanContext().SpanID()), Parent: trace.SpanID(s.Parent().SpanID()),
		Service: s.InstrumentationScope().Name, Name: s.Name(), Kind: trace.Kind(s.SpanKind()),
		Start: s.StartTime().UnixNano(), End: s.EndTime().UnixNano(),
	}
	for _, a := range s.Attributes() {
		made.Attributes = append(made.Attributes, trace.Attribute{Key: string(a.Key), Value: a.Value.AsInterface()})
	}
	if s.Status().Code == codes.Error {
		made.Error = s.Status().Description
	}
	return made
}

// ids are those of the span that is made with a context.
type ids struct {
	trace  trace.ID
	number uint64
}

type idsKey struct{}

// given is the IDGenerator of spans whose IDs are given.
type given struct{}

// NewIDs returns the IDs of a root.
func (given) NewIDs(ctx context.Context) (oteltrace.TraceID, oteltrace.SpanID) {
	i, _ := ctx.Value(idsKey{}).(ids)
	return oteltrace.TraceID(i.trace), oteltrace.SpanID(trace.SpanOf(i.trace, i.number))
}

// NewSpanID returns the ID of another span.
func (g given) NewSpanID(ctx context.Context, _ oteltrace.TraceID) oteltrace.SpanID {
	_, id := g.NewIDs(ctx)
	return id
}

// collector is a SpanProcessor that keeps the spans that have ended.
type collector struct{ spans []sdk.ReadOnlySpan }

// OnStart does nothing.
func (c *collector) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd keeps a span.
func (c *collector) OnEnd(s sdk.ReadOnlySpan) { c.spans = append(c.spans, s) }

// Shutdown does nothing.
func (c *collector) Shutdown(context.Context) error { return nil }

// ForceFlush does nothing.
func (c *collector) ForceFlush(context.Context) error { return nil }

// ParseParent reads the header traceparent. ok is false if it is not valid.
func ParseParent(header string) (id trace.ID, span trace.SpanID, sampled, ok bool) {
	carrier := propagation.HeaderCarrier(http.Header{trace.Header: {header}})
	parent := oteltrace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	return trace.ID(parent.TraceID()), trace.SpanID(parent.SpanID()), parent.IsSampled(), parent.IsValid()
}
