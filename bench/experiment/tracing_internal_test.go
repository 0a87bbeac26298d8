package experiment

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"floodgate/bench/load"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/results/trace"
)

// A trace of a request has the spans of the generator and, below, those of the service; each
// lies within its parent even if the clocks differ a little.
func TestTracesOfRequests(t *testing.T) {
	start := time.Unix(1000, 0)
	spec := sut.TraceSpec{Seed: 3, Sampling: trace.Sampling{OneIn: 2, Slowest: 1}}
	q := newRequestTraces(spec)
	for n := range uint64(4) {
		took := time.Duration(n+1) * time.Second
		e := load.Ended{Report: n, Start: start, Intended: time.Second, Begun: time.Second + 1, Connected: time.Second + 2, FirstByte: took, At: time.Second + took, Code: 200}
		if n == 2 { // no connection
			e.Connected, e.FirstByte, e.Code, e.Error = 0, 0, 0, "refused"
		}
		q.ended(e)
	}
	late := start.Add(10 * time.Second).UnixNano() // beyond the request
	report := sut.Traced{
		Parent: requestParent(spec)(3), Start: start.UnixNano(), End: late,
		Items: []sut.ItemTimes{{Index: 4, Start: start.Add(2 * time.Second).UnixNano(), Queue: time.Second, Fetch: time.Second, PoolWait: 1, Write: 2, Wrote: true}},
	}
	var saved []byte
	r := &Trials{RunID: "run", Tracing: &Tracing{Save: func(name string, content []byte) error {
		if name != "trial-0007.jsonl" {
			t.Errorf("stored as %s", name)
		}
		saved = content
		return nil
	}}}
	record := &results.Trial{Index: 7, Variant: "v", LevelName: "l"}
	b := traceBuilder{run: "run", trial: record, spec: spec}
	if err := r.store(&b, record, &attempt{service: &serviceTrial{traces: q}, traced: [][]sut.Traced{{report}}}); err != nil {
		t.Fatal(err)
	}
	all, err := trace.Read(bytes.NewReader(saved)) // which checks each
	if err != nil || len(all) != 3 || *record.Traces != (results.Traces{File: "trial-0007.jsonl", Kept: 3, Slow: 1, OneIn: 2}) {
		t.Fatalf("%d traces, %v, record %+v", len(all), err, record.Traces)
	}
	names := func(i int) (list []string) {
		for _, s := range all[i].Spans {
			list = append(list, s.Name)
		}
		return list
	}
	for i, want := range [][]string{
		{"request", "late", "connect", "first byte", "body"}, {"request", "late", "connect"},
		{"request", "late", "connect", "first byte", "body", "report", "item", "queue", "fetch", "pool wait", "write"},
	} {
		if got := names(i); !slices.Equal(got, want) {
			t.Errorf("trace %d has %q, want %q", i, got, want)
		}
	}
	if id := trace.NewIDs(3).Trace(3); all[2].Spans[8].ID != trace.SpanOf(id, trace.NumberOf(4, trace.StageFetch)) {
		t.Error("the fetch has another ID than the upstream was told")
	}
}
