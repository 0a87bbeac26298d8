package tracing_test

import (
	"testing"

	"go.uber.org/goleak"

	"floodgate/bench/tracing"
	"floodgate/results/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Spans have the IDs that other programs derive, lie within their parents, and do not depend
// on the settings of OpenTelemetry in the environment.
func TestBuilder(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	t.Setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0")
	id := trace.NewIDs(1).Trace(5)
	b := tracing.New()
	root := b.Trace(id, tracing.Span{Number: 0, Service: "a", Name: "root", Start: 100, End: 200, Attributes: []trace.Attribute{{Key: "n", Value: int64(5)}}})
	child := root.Add(tracing.Span{Number: 1, Service: "b", Name: "child", Kind: trace.Client, Start: 90, End: 250, Error: "timeout"})
	child.Add(tracing.Span{Number: 2, Name: "grandchild", Start: 300, End: 50})
	b.Trace(trace.NewIDs(1).Trace(6), tracing.Span{Service: "a", Name: "other", Start: 1, End: 2})
	all := b.Traces()
	if len(all) != 2 || len(all[0].Spans) != 3 {
		t.Fatalf("got %+v", all)
	}
	for _, one := range all {
		if err := one.Check(); err != nil {
			t.Error(err)
		}
	}
	spans := all[0].Spans
	for i, want := range []trace.Span{
		{Service: "a", Name: "root", Kind: trace.Internal, Start: 100, End: 200},
		{Service: "b", Name: "child", Kind: trace.Client, Start: 100, End: 200, Error: "timeout"},
		{Service: "b", Name: "grandchild", Kind: trace.Internal, Start: 200, End: 200},
	} {
		got := spans[i]
		if got.Trace != id || got.ID != trace.SpanOf(id, uint64(i)) || got.Service != want.Service || got.Name != want.Name || got.Kind != want.Kind ||
			got.Start != want.Start || got.End != want.End || got.Error != want.Error {
			t.Errorf("span %d is %+v, want %+v", i, got, want)
		}
	}
	if n, ok := spans[0].Number("n"); !ok || n != 5 {
		t.Errorf("attributes of the root are %v", spans[0].Attributes)
	}
}

func TestParseParent(t *testing.T) {
	id := trace.NewIDs(1).Trace(5)
	for _, sampled := range []bool{false, true} {
		got, span, flag, ok := tracing.ParseParent(trace.Parent(id, trace.SpanOf(id, 3), sampled))
		if !ok || got != id || span != trace.SpanOf(id, 3) || flag != sampled {
			t.Errorf("got %v %v %v %v", got, span, flag, ok)
		}
	}
	for _, bad := range []string{"", "00-0-0-01", "00-" + id.String() + "-0000000000000000-01"} {
		if _, _, _, ok := tracing.ParseParent(bad); ok {
			t.Errorf("%q is valid", bad)
		}
	}
}
