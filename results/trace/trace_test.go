package trace_test

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"floodgate/results/trace"
)

// drawTrace draws a trace of an item with some of its stages.
func drawTrace(t *rapid.T) trace.Trace {
	ids := trace.NewIDs(rapid.Uint64().Draw(t, "seed"))
	id := ids.Trace(rapid.Uint64Range(0, 1e9).Draw(t, "number"))
	start := rapid.Int64Range(0, 1<<60).Draw(t, "start")
	took := rapid.Int64Range(0, 1e12).Draw(t, "took")
	root := trace.Span{
		Trace: id, ID: trace.SpanOf(id, trace.NumberOf(0, trace.StageItem)), Service: "floodgate.sut", Name: trace.Item, Kind: trace.Internal, Start: start, End: start + took,
		Attributes: []trace.Attribute{
			{Key: trace.KeyItem, Value: rapid.Int64().Draw(t, "item")}, {Key: trace.KeyVariant, Value: rapid.String().Draw(t, "variant")},
			{Key: trace.KeySlow, Value: rapid.Bool().Draw(t, "slow")},
		},
	}
	made := trace.Trace{Spans: []trace.Span{root}}
	for stage, name := range map[int]string{trace.StageQueue: trace.Queue, trace.StageFetch: trace.Fetch, trace.StageWrite: trace.Write} {
		if !rapid.Bool().Draw(t, name) {
			continue
		}
		from := rapid.Int64Range(0, took).Draw(t, "from")
		made.Spans = append(made.Spans, trace.Span{
			Trace: id, ID: trace.SpanOf(id, trace.NumberOf(0, stage)), Parent: root.ID, Service: rapid.SampledFrom([]string{"floodgate.sut", "floodgate"}).Draw(t, "service"),
			Name: name, Kind: trace.Client, Start: start + from, End: start + rapid.Int64Range(from, took).Draw(t, "to"),
			Error: rapid.SampledFrom([]string{"", "timeout", "emfile"}).Draw(t, "error"),
		})
	}
	return made
}

// sorted has the spans in an order that does not depend on their programs.
func sorted(t trace.Trace) []trace.Span {
	return slices.SortedFunc(slices.Values(t.Spans), func(a, b trace.Span) int { return slices.Compare(a.ID[:], b.ID[:]) })
}

func TestTracesAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var lines bytes.Buffer
		all := rapid.SliceOfN(rapid.Custom(drawTrace), 0, 4).Draw(t, "traces")
		for _, one := range all {
			if err := one.Check(); err != nil {
				t.Fatal(err)
			}
			if err := trace.Encode(&lines, one); err != nil {
				t.Fatal(err)
			}
		}
		if n := bytes.Count(lines.Bytes(), []byte("\n")); n != len(all) {
			t.Fatalf("%d lines for %d traces", n, len(all))
		}
		back, err := trace.Read(&lines)
		if err != nil || len(back) != len(all) {
			t.Fatalf("%d traces, %v", len(back), err)
		}
		for i := range all {
			if diff := gocmp.Diff(sorted(all[i]), sorted(back[i])); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// The line is what the specification of OTLP's JSON encoding says: IDs in hexadecimal, times
// and numbers as strings, and one resource for each program.
func TestLine(t *testing.T) {
	id := trace.ID{0xab, 15: 0x01}
	root := trace.Span{Trace: id, ID: trace.SpanID{7: 1}, Service: "floodgate.sut", Name: trace.Item, Kind: trace.Internal, Start: 1_000, End: 9_000,
		Attributes: []trace.Attribute{{Key: trace.KeyItem, Value: int64(17)}, {Key: trace.KeySlow, Value: true}}}
	fetch := trace.Span{Trace: id, ID: trace.SpanID{7: 2}, Parent: root.ID, Service: "floodgate.sut", Name: trace.Fetch, Kind: trace.Client, Start: 2_000, End: 5_000, Error: "timeout"}
	var got strings.Builder
	if err := trace.Encode(&got, trace.Trace{Spans: []trace.Span{root, fetch}}); err != nil {
		t.Fatal(err)
	}
	const want = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"floodgate.sut"}}]},"scopeSpans":[{"scope":{"name":"floodgate"},"spans":[` +
		`{"traceId":"ab000000000000000000000000000001","spanId":"0000000000000001","name":"item","kind":1,"startTimeUnixNano":"1000","endTimeUnixNano":"9000",` +
		`"attributes":[{"key":"floodgate.item","value":{"intValue":"17"}},{"key":"floodgate.slow","value":{"boolValue":true}}]},` +
		`{"traceId":"ab000000000000000000000000000001","spanId":"0000000000000002","parentSpanId":"0000000000000001","name":"fetch","kind":3,` +
		`"startTimeUnixNano":"2000","endTimeUnixNano":"5000","status":{"code":2,"message":"timeout"}}]}]}]}` + "\n"
	if diff := gocmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTracesThatAreNot(t *testing.T) {
	id := trace.ID{1}
	span := func(n byte, parent byte, start, end int64) trace.Span {
		return trace.Span{Trace: id, ID: trace.SpanID{n}, Parent: trace.SpanID{parent}, Start: start, End: end}
	}
	for want, spans := range map[string][]trace.Span{
		"":                    {span(1, 0, 0, 9), span(2, 1, 0, 9)},
		"has 0 roots":         {},
		"has 2 roots":         {span(1, 0, 0, 9), span(2, 0, 0, 9)},
		"a parent that is":    {span(1, 0, 0, 9), span(2, 3, 0, 9)},
		"beyond its parent":   {span(1, 0, 0, 9), span(2, 1, 0, 10)},
		"before it starts":    {span(1, 0, 9, 0)},
		"two spans have the":  {span(1, 0, 0, 9), span(1, 1, 0, 9)},
		"has no ID":           {span(0, 0, 0, 9)},
		"is of trace 0200000": {span(1, 0, 0, 9), {Trace: trace.ID{2}, ID: trace.SpanID{2}, Parent: trace.SpanID{1}}},
	} {
		err := trace.Trace{Spans: spans}.Check()
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A Keeper has each value of the regular sample, and exactly the slowest of all others.
func TestKeeperKeepsTheSlowest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := trace.Sampling{OneIn: rapid.IntRange(1, 10).Draw(t, "one in"), Slowest: rapid.IntRange(0, 5).Draw(t, "slowest")}
		took := rapid.SliceOfN(rapid.Int64Range(0, 20), 0, 60).Draw(t, "took")
		k := trace.NewKeeper[int](s.Slowest)
		for i, d := range took {
			k.Add(uint64(i), s.Chosen(uint64(i)), time.Duration(d), func() int { return i })
		}
		chosen := 0
		var slow, others []int64
		for _, v := range k.Kept() {
			if v.Value != int(v.Number) || int64(v.Took) != took[v.Value] {
				t.Fatalf("kept %+v", v)
			}
			if s.Chosen(v.Number) {
				chosen++
			}
			if v.Slow {
				slow = append(slow, took[v.Value])
			}
		}
		if want := (len(took) + s.OneIn - 1) / s.OneIn; chosen != want {
			t.Fatalf("%d of the regular sample, want %d", chosen, want)
		}
		others = slices.SortedFunc(slices.Values(took), func(a, b int64) int { return cmp.Compare(b, a) })
		slices.SortFunc(slow, func(a, b int64) int { return cmp.Compare(b, a) })
		if !slices.Equal(slow, others[:min(s.Slowest, len(others))]) {
			t.Fatalf("the slowest are %v of %v, want %d", slow, took, s.Slowest)
		}
	})
}

func TestSamplingOf(t *testing.T) {
	for n, want := range map[int]trace.Sampling{
		0: {OneIn: 100, Slowest: 1}, 6: {OneIn: 100, Slowest: 1}, 250: {OneIn: 100, Slowest: 3}, 100_000: {OneIn: 100, Slowest: 1000}, 1_000_000: {OneIn: 1000, Slowest: 1000},
	} {
		if got := trace.SamplingOf(n); got != want {
			t.Errorf("%d: %+v, want %+v", n, got, want)
		}
	}
}

// The header is that of W3C's Trace Context: version, trace, parent and flags.
func TestParent(t *testing.T) {
	id, span := trace.ID{0x4b, 15: 0x36}, trace.SpanID{0, 7: 0xb7}
	for sampled, want := range map[bool]string{
		true: "00-4b000000000000000000000000000036-00000000000000b7-01", false: "00-4b000000000000000000000000000036-00000000000000b7-00",
	} {
		if got := trace.Parent(id, span, sampled); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What Read accepts it writes again alike, and no input makes it panic. The traces before a
// damaged line are kept.
func FuzzRead(f *testing.F) {
	var one bytes.Buffer
	id := trace.NewIDs(1).Trace(1)
	if err := trace.Encode(&one, trace.Trace{Spans: []trace.Span{{Trace: id, ID: trace.SpanOf(id, 1), Service: "a", Name: trace.Item, Kind: trace.Internal, Start: 1, End: 2}}}); err != nil {
		f.Fatal(err)
	}
	f.Add(one.Bytes())
	f.Add(append(bytes.Clone(one.Bytes()), one.Bytes()[:40]...))
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"x"}]}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, _ := trace.Read(bytes.NewReader(text))
		for _, one := range all {
			var line bytes.Buffer
			if err := trace.Encode(&line, one); err != nil {
				t.Fatal(err)
			}
			back, err := trace.Parse(bytes.TrimSuffix(line.Bytes(), []byte("\n")))
			if err != nil {
				t.Fatalf("%v: %s", err, &line)
			}
			if diff := gocmp.Diff(sorted(one), sorted(back)); diff != "" {
				t.Error(diff)
			}
		}
	})
}
