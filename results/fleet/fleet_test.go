package fleet_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results"
	"floodgate/results/fleet"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline/recorder"
)

func histogram(t testing.TB, values []int64) results.Histogram {
	t.Helper()
	h := hdrhistogram.New(recorder.Lowest, recorder.Highest, recorder.SignificantFigures)
	for _, v := range values {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := results.NewHistogram(h)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// merged returns the trial of hosts that are added in their order.
func merged(t testing.TB, hosts []results.Host) results.Trial {
	t.Helper()
	var sum fleet.Sum
	for _, h := range hosts {
		if err := sum.Add(h); err != nil {
			t.Fatal(err)
		}
	}
	return trial(t, &sum)
}

func trial(t testing.TB, sum *fleet.Sum) (into results.Trial) {
	t.Helper()
	if err := sum.Into(&into); err != nil {
		t.Fatal(err)
	}
	into.Makespan, into.MakespanSource = sum.Makespan()
	into.Fleet = new(results.Fleet)
	into.Fleet.Skew, into.Fleet.Uncertainty = sum.Skew()
	return into
}

// TestMergeEqualsOneHistogram deals raw samples to four hosts, a quarter each: their merge
// has the bytes of one histogram that was fed every sample.
func TestMergeEqualsOneHistogram(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		samples := rapid.SliceOfN(rapid.Int64Range(0, recorder.Highest), 0, 400).Draw(rt, "samples")
		scale := rapid.SampledFrom([]int64{1, 1e3, 1e6}).Draw(rt, "scale")
		for i := range samples {
			samples[i] /= scale
		}
		i := -1
		dealt := scenarios.Deal(samples, func(int64) string { i++; return fmt.Sprint(i) }, 4)
		var hosts []results.Host
		for index, share := range dealt {
			if most := (len(samples) + 3) / 4; len(share) > most {
				rt.Fatalf("host %d has %d of %d samples", index, len(share), len(samples))
			}
			hosts = append(hosts, results.Host{Index: index, Stages: map[string]results.Histogram{"item": histogram(t, share)}})
		}
		if diff := cmp.Diff(histogram(t, samples), merged(t, hosts).Stages["item"]); diff != "" {
			rt.Fatalf("the merge differs from one histogram (-one +merge):\n%s", diff)
		}
	})
}

// drawHosts draws hosts with every kind of figure.
func drawHosts(t testing.TB, rt *rapid.T) []results.Host {
	n := rapid.IntRange(1, 6).Draw(rt, "hosts")
	hosts := make([]results.Host, n)
	maybe := func(name string) *int {
		if v := rapid.IntRange(-1, 9).Draw(rt, name); v >= 0 {
			return &v
		}
		return nil
	}
	duration := func(name string) time.Duration { return time.Duration(rapid.IntRange(0, 5).Draw(rt, name)) }
	for i := range hosts {
		h := &hosts[i]
		*h = results.Host{
			Index: i, Items: rapid.IntRange(0, 3).Draw(rt, "items"), Start: duration("start"),
			Uncertainty: duration("uncertainty"), MakespanSource: rapid.SampledFrom([]string{"sut", "outside"}).Draw(rt, "source"),
			ItemsDone: maybe("done"), ItemsFailed: maybe("failed"), Throttled: rapid.IntRange(0, 2).Draw(rt, "throttled"),
			Stages: map[string]results.Histogram{},
			Descriptors: results.Descriptors{
				Peak: rapid.IntRange(5, 8).Draw(rt, "peak"), Samples: rapid.IntRange(0, 2).Draw(rt, "samples"), Leaked: maybe("leaked"), Baseline: i,
			},
			Resources: results.Resources{
				UserCPU: duration("user"), SystemCPU: duration("system"), PeakRSS: int64(duration("rss")), Threads: int(duration("threads")), Goroutines: maybe("goroutines"),
			},
		}
		h.End = h.Start + duration("took")
		for _, stage := range []string{"fetch", "item"} {
			if rapid.Bool().Draw(rt, stage) {
				h.Stages[stage] = histogram(t, rapid.SliceOfN(rapid.Int64Range(0, 1e7), 0, 5).Draw(rt, stage))
			}
		}
		for _, kind := range []string{"emfile", "timeout"} {
			if count := rapid.IntRange(0, 2).Draw(rt, kind); count > 0 {
				h.Errors = append(h.Errors, results.ErrorCount{Type: kind, Side: "upstream", Count: count, First: duration("first"), Sample: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "sample")})
			}
		}
		if settled := maybe("slots"); settled != nil {
			h.SlotLimit = &results.SlotLimit{Last: rapid.IntRange(0, 3).Draw(rt, "last"), Settled: *settled}
		}
	}
	return hosts
}

func TestMergeIsAssociativeAndOrderFree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		hosts := drawHosts(t, rt)
		want := merged(t, hosts)
		shuffled := rapid.Permutation(hosts).Draw(rt, "order")
		if diff := cmp.Diff(want, merged(t, shuffled)); diff != "" {
			rt.Fatalf("another order gives another sum:\n%s", diff)
		}
		var all fleet.Sum
		for group := range slices.Chunk(shuffled, rapid.IntRange(1, 4).Draw(rt, "group")) {
			var sum fleet.Sum
			for _, h := range group {
				if err := sum.Add(h); err != nil {
					rt.Fatal(err)
				}
			}
			if err := all.Merge(&sum); err != nil {
				rt.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, trial(t, &all)); diff != "" {
			rt.Fatalf("another grouping gives another sum:\n%s", diff)
		}
	})
}

func TestMergedFigures(t *testing.T) {
	hosts := []results.Host{
		{
			Index: 0, Items: 2, Start: 0, End: 10, MakespanSource: "sut", Uncertainty: 1, ItemsDone: new(2), ItemsFailed: new(0),
			Errors:      []results.ErrorCount{{Type: "timeout", Side: "upstream", Count: 1, First: 7, Sample: "late"}},
			Descriptors: results.Descriptors{Peak: 20, Samples: 3, Leaked: new(2), LeakedKinds: &results.Kinds{Mongo: 2}, Predicted: 22},
			Resources:   results.Resources{UserCPU: 5, SystemCPU: 1, PeakRSS: 100, Threads: 9, Goroutines: new(4), Allocs: new(uint64(3))},
		},
		{
			Index: 1, Items: 1, Start: 3, End: 14, MakespanSource: "sut", Uncertainty: 2, ItemsDone: new(0), ItemsFailed: new(1),
			Errors:      []results.ErrorCount{{Type: "timeout", Side: "upstream", Count: 1, First: 2, Sample: "early"}},
			Descriptors: results.Descriptors{Peak: 21, Samples: 3, Leaked: new(0), Predicted: 23},
			Resources:   results.Resources{UserCPU: 7, SystemCPU: 2, PeakRSS: 90, Threads: 10, Goroutines: new(6), Allocs: new(uint64(4))},
		},
		{Index: 2, ItemsDone: new(0), ItemsFailed: new(0), Descriptors: results.Descriptors{Peak: 8, Samples: 3, Leaked: new(0)}, Resources: results.Resources{Goroutines: new(1), Allocs: new(uint64(0))}},
	}
	want := results.Trial{
		ItemsDone: new(2), ItemsFailed: new(1), Makespan: 14, MakespanSource: "sut",
		Errors:      []results.ErrorCount{{Type: "timeout", Side: "upstream", Count: 2, First: 5, Sample: "early"}},
		Descriptors: results.Descriptors{Peak: 21, Samples: 3, Leaked: new(2), LeakedKinds: &results.Kinds{Mongo: 2}, Predicted: 23},
		Resources:   results.Resources{UserCPU: 12, SystemCPU: 3, PeakRSS: 100, Threads: 10, Goroutines: new(6), Allocs: new(uint64(7))},
		Fleet:       &results.Fleet{Skew: 3, Uncertainty: 2},
	}
	if diff := cmp.Diff(want, merged(t, hosts)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHistogramsOfAnotherRangeAreRefused(t *testing.T) {
	other, err := results.NewHistogram(hdrhistogram.New(1, 1000, 2))
	if err != nil {
		t.Fatal(err)
	}
	var sum fleet.Sum
	if err := sum.Add(results.Host{Stages: map[string]results.Histogram{"item": histogram(t, []int64{5})}}); err != nil {
		t.Fatal(err)
	}
	err = sum.Add(results.Host{Index: 1, Stages: map[string]results.Histogram{"item": other}})
	if err == nil || !strings.Contains(err.Error(), "host 1: stage item: its histogram covers 1 to 1000 ns") {
		t.Errorf("error %v", err)
	}
}

func TestPeak(t *testing.T) {
	for _, c := range []struct {
		name   string
		series [][]fleet.Sample
		peak   int64
		at     time.Duration
	}{
		{"none", nil, 0, 0},
		{"one", [][]fleet.Sample{{{1, 5}, {2, 9}, {3, 4}}}, 9, 2},
		{"peaks at other times", [][]fleet.Sample{{{0, 10}, {5, 1}}, {{0, 1}, {5, 10}}}, 11, 0},
		{"together", [][]fleet.Sample{{{0, 10}, {5, 12}, {8, 0}}, {{2, 3}, {6, 7}, {9, 20}}}, 20, 9},
		{"a fall and a rise at one time", [][]fleet.Sample{{{0, 10}, {5, 0}}, {{5, 10}}}, 10, 0},
	} {
		if peak, at := fleet.Peak(c.series...); peak != c.peak || at != c.at {
			t.Errorf("%s: peak %d at %d, want %d at %d", c.name, peak, at, c.peak, c.at)
		}
	}
}

// BenchmarkMerge merges the reports of 1,000 hosts with six stages of 100 items each.
// live-MB is what the heap holds beyond the reports while they are merged.
func BenchmarkMerge(b *testing.B) {
	draws := rand.New(rand.NewPCG(1, 2))
	hosts := make([]results.Host, 1000)
	for i := range hosts {
		stages := make(map[string]results.Histogram)
		for _, name := range recorder.Stages() {
			values := make([]int64, 100)
			for k := range values {
				values[k] = int64(draws.ExpFloat64() * 20e6)
			}
			stages[name] = histogram(b, values)
		}
		hosts[i] = results.Host{Index: i, Items: 100, End: time.Second, Stages: stages, ItemsDone: new(100), ItemsFailed: new(0)}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		var sum fleet.Sum
		for _, h := range hosts {
			if err := sum.Add(h); err != nil {
				b.Fatal(err)
			}
		}
		var t results.Trial
		if err := sum.Into(&t); err != nil {
			b.Fatal(err)
		}
		runtime.KeepAlive(t)
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapInuse-min(after.HeapInuse, before.HeapInuse))/1e6, "live-MB")
	runtime.KeepAlive(hosts)
}
