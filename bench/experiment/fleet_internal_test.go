package experiment

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/results/fleet"
	"floodgate/scenarios"
)

// TestSkewMakesTrialsInvalid allows 1 % of the makespan, and at least 5 ms.
func TestSkewMakesTrialsInvalid(t *testing.T) {
	for _, test := range []struct {
		name                    string
		start, end, uncertainty time.Duration // of the second host; the first worked from 0 to 100 ms
		items                   int
		reason                  string
	}{
		{"together", time.Millisecond, 100 * time.Millisecond, 50 * time.Microsecond, 1, ""},
		{"just in time", 4 * time.Millisecond, 100 * time.Millisecond, time.Millisecond, 1, ""},
		{"apart", 5 * time.Millisecond, 100 * time.Millisecond, time.Microsecond, 1, "the hosts started 5ms apart, ± 1µs, more than 5ms (1 % of the makespan of 100ms, and at least 5ms)"},
		{"uncertain", 0, 100 * time.Millisecond, 6 * time.Millisecond, 1, "the hosts started 0s apart, ± 6ms, more than 5ms"},
		{"long", 19 * time.Millisecond, 2 * time.Second, time.Millisecond, 1, ""},
		{"long and apart", 20 * time.Millisecond, 2 * time.Second, time.Millisecond, 1, "the hosts started 20ms apart, ± 1ms, more than 20ms (1 % of the makespan of 2s, "},
		{"without items", 50 * time.Millisecond, 50 * time.Millisecond, time.Second, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var sum fleet.Sum
			for _, h := range []results.Host{
				{Index: 0, Items: 1, End: 100 * time.Millisecond, MakespanSource: "sut"},
				{Index: 1, Items: test.items, Start: test.start, End: test.end, Uncertainty: test.uncertainty, MakespanSource: "sut"},
			} {
				if err := sum.Add(h); err != nil {
					t.Fatal(err)
				}
			}
			record := &results.Trial{Outcome: results.OutcomeOK}
			(&hosts{trials: &Trials{}, record: record}).checkSkew(&sum)
			if want := test.reason != ""; (record.Outcome == results.OutcomeInvalid) != want || !strings.HasPrefix(record.Reason, test.reason) || (record.Makespan == 0) != want {
				t.Errorf("%s: %q, makespan %v; want %q", record.Outcome, record.Reason, record.Makespan, test.reason)
			}
		})
	}
}

// BenchmarkFleetCost measures what a trial on four hosts costs beside its work: the
// barrier, from the measurement of the clocks to the start, and the merge of four reports
// of 250 items.
func BenchmarkFleetCost(b *testing.B) {
	executable, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	reports := make([]results.Host, 4)
	for i := range reports {
		reports[i] = reportOf(b, i, 250)
	}
	s := &scenarios.Scenario{SUT: scenarios.SUT{Hosts: 4, Timeout: scenarios.Duration(time.Minute)}}
	r := &Trials{}
	var barrier, merge time.Duration
	for b.Loop() {
		b.StopTimer()
		h := &hosts{trials: r, record: &results.Trial{}}
		for i := range 4 {
			p, err := sut.Start(sut.Options{Executable: executable, NoFile: 256})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Kill()
			m := &measurement{trials: r, record: &results.Trial{}, process: p, part: part{host: i, hosts: 4}, planned: ScheduledTrial{Level: scenarios.Level{Scenario: s}}}
			spec := sut.Spec{Floodgate: sut.Version, Type: sut.TypeSpec, Variant: scenarios.Variant{Name: "b", Strategy: "bounded", Limit: 2}, Upstream: sut.UpstreamSpec{URL: "http://127.0.0.1:1"}, Observe: true}
			if err := p.Send(ctx, spec); err != nil {
				b.Fatal(err)
			}
			if _, err := p.Await(ctx, sut.TypeReady); err != nil {
				b.Fatal(err)
			}
			h.all = append(h.all, m)
		}
		b.StartTimer()
		began := time.Now()
		if failed := each(ctx, h.all, (*measurement).measureClock); failed.err != nil {
			b.Fatal(failed.err)
		}
		at := time.Now().Add(sut.Lead(h.clocks()))
		time.Sleep(time.Until(at))
		barrier += time.Since(began)
		b.StopTimer()
		if failed := each(ctx, h.all, func(m *measurement, ctx context.Context) (string, error) { return m.workFrom(ctx, at) }); failed.err != nil {
			b.Fatal(failed.err)
		}
		b.StartTimer()
		began = time.Now()
		var sum fleet.Sum
		for _, report := range reports {
			if err := sum.Add(report); err != nil {
				b.Fatal(err)
			}
		}
		if err := sum.Into(h.record); err != nil {
			b.Fatal(err)
		}
		merge += time.Since(began)
		b.StopTimer()
		h.end()
		b.StartTimer()
	}
	b.ReportMetric(barrier.Seconds()*1e3/float64(b.N), "barrier-ms")
	b.ReportMetric(merge.Seconds()*1e3/float64(b.N), "merge-ms")
}

// reportOf returns the report of a host with some items.
func reportOf(b *testing.B, index, items int) results.Host {
	b.Helper()
	stages := make(map[string]results.Histogram)
	for k, name := range scenarios.MetricStages() {
		values := make([]int64, items)
		for i := range values {
			values[i] = int64((i*7919+k)%100+1) * int64(time.Millisecond)
		}
		h, err := sut.Stage{Values: values}.Histogram()
		if err != nil {
			b.Fatal(fmt.Errorf("stage %s: %w", name, err))
		}
		stages[name] = h
	}
	return results.Host{Index: index, Items: items, End: time.Second, Stages: stages, ItemsDone: &items, ItemsFailed: new(0)}
}
