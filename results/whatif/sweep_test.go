package whatif_test

import (
	"compress/gzip"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/internal/runtest"
	"floodgate/results/summary"
	"floodgate/results/whatif"
	"floodgate/scenarios"
)

// sweepRun is a run measured on two cores with the embedded database: sequential and
// bounded by 2 to 64, 1,000 items, 6 trials each.
func sweepRun(t testing.TB) *results.Run { return stored(t, "sweep.jsonl") }

// stored returns a measured run from a compressed file in testdata.
func stored(t testing.TB, name string) *results.Run {
	t.Helper()
	run, err := results.Parse(name, uncompressed(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// measured holds the points of that run. Tests that change one clone them.
var measured []whatif.Point

func measuredPoints(t testing.TB) []whatif.Point {
	t.Helper()
	if measured == nil {
		measured = pointsOf(t, sweepRun(t))
	}
	return slices.Clone(measured)
}

func uncompressed(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func pointsOf(t testing.TB, run *results.Run) []whatif.Point {
	t.Helper()
	x, err := summary.NewIndex(run)
	if err != nil {
		t.Fatal(err)
	}
	points, err := whatif.FromRun(x)
	if err != nil {
		t.Fatal(err)
	}
	return points
}

func sweepOf(t testing.TB, points []whatif.Point) *whatif.Sweep {
	t.Helper()
	s, err := whatif.NewSweep(points)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func predict(t testing.TB, s *whatif.Sweep, text string) *whatif.Answer {
	t.Helper()
	spec, err := whatif.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Predict(spec)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPredictionsAgreeWithMeasurements(t *testing.T) {
	s := sweepOf(t, measuredPoints(t))
	v, err := s.Validate()
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Checks) != 7 || v.InSample == nil || v.LeftOut == nil {
		t.Fatalf("%+v", v)
	}
	for _, c := range v.Checks {
		t.Logf("%-10s measured %v, p99 %v: error %+.3f, left out %+.3f", c.Variant, c.Makespan, c.P99, *c.InSample, *c.LeftOut)
		if !c.InSample.Within() {
			t.Errorf("%s: error %+v, beyond the targets", c.Variant, *c.InSample)
		}
		if end := c.Variant == "sequential" || c.Variant == "bounded-64"; c.Extrapolated != end {
			t.Errorf("%s: extrapolated %v", c.Variant, c.Extrapolated)
		}
	}
	// Without the point at which the database reaches its bound, predictions there are
	// worse; the limits below it are still predicted.
	for _, c := range v.Checks[1:5] {
		if !c.LeftOut.Within() {
			t.Errorf("%s, left out: error %+v, beyond the targets", c.Variant, *c.LeftOut)
		}
	}
	if v.LeftOut.Makespan > 0.12 || v.LeftOut.P99 > 0.15 {
		t.Errorf("left out: %+v", *v.LeftOut)
	}
}

// Validation detects a wrong model, whose writes take no time.
func TestValidationCanFail(t *testing.T) {
	run := sweepRun(t)
	for i := range run.Trials {
		delete(run.Trials[i].Stages, "write")
	}
	v, err := sweepOf(t, pointsOf(t, run)).Validate()
	if err != nil {
		t.Fatal(err)
	}
	if v.InSample.Within() || v.InSample.Makespan < 0.4 {
		t.Errorf("%+v, and yet the writes are missing", *v.InSample)
	}
}

func TestPointsOfARun(t *testing.T) {
	points := measuredPoints(t)
	var names []string
	for _, p := range points {
		names = append(names, p.Variant.Name)
		if p.Items != 1000 || p.Trials != 6 || p.NoFile != 1024 || p.Baseline != 7 || p.Failed != 0 || p.Setting != "" {
			t.Errorf("%s: %+v", p.Variant.Name, p)
		}
		if p.Makespan < p.Min || p.Makespan > p.Max || p.P99 > p.Makespan {
			t.Errorf("%s: makespan %v of [%v, %v], p99 %v", p.Variant.Name, p.Makespan, p.Min, p.Max, p.P99)
		}
	}
	if want := "sequential bounded-2 bounded-4 bounded-8 bounded-16 bounded-32 bounded-64"; strings.Join(names, " ") != want {
		t.Errorf("%v, want %s", names, want)
	}
}

// Only measured trials count for the median of the makespans.
func TestTrialsThatWereNotMeasuredDoNotCount(t *testing.T) {
	run := sweepRun(t)
	var trials []*results.Trial
	for i := range run.Trials {
		if tr := &run.Trials[i]; tr.Variant == "bounded-8" {
			trials = append(trials, tr)
		}
	}
	trials[0].Outcome = results.OutcomeInvalid
	trials[1].Stages = nil
	v := scenarios.Variant{Name: "bounded-8", Strategy: "bounded", Limit: 8}
	p, err := whatif.NewPoint(v, trials)
	if err != nil || p.Trials != 4 {
		t.Fatalf("%d trials, error %v", p.Trials, err)
	}
	var spans []time.Duration
	for _, tr := range trials[2:] {
		spans = append(spans, tr.Makespan)
	}
	slices.Sort(spans)
	if want := (spans[1] + spans[2]) / 2; p.Makespan != want {
		t.Errorf("%v, want %v", p.Makespan, want)
	}
	trials[3].Items++
	if _, err := whatif.NewPoint(v, trials); err == nil || !strings.Contains(err.Error(), `of "bounded-8" has 1001 items, but those before it have 1000; all must be equal`) {
		t.Errorf("error %v", err)
	}
	if _, err := whatif.NewPoint(v, trials[:2]); err == nil || err.Error() != `variant "bounded-8": no trial has the times of its stages` {
		t.Errorf("error %v", err)
	}
}

func TestRunsThatCannotCalibrate(t *testing.T) {
	x, err := summary.NewIndex(runtest.Service(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := whatif.FromRun(x); err == nil || !strings.Contains(err.Error(), "its scenario is a service") {
		t.Errorf("a service: error %v", err)
	}
	if x, err = summary.NewIndex(runtest.New(runtest.Options{Bare: true})); err != nil {
		t.Fatal(err)
	}
	if _, err := whatif.FromRun(x); err == nil || !strings.Contains(err.Error(), "no trial has the times of its stages") {
		t.Errorf("without histograms: error %v", err)
	}
	all := measuredPoints(t)
	if _, err := whatif.NewSweep(all[:1]); err == nil || !strings.HasPrefix(err.Error(), "no runs to calibrate with") {
		t.Errorf("one limit: error %v", err)
	}
	if _, err := whatif.NewSweep(nil); err == nil {
		t.Error("no points: no error")
	}
	other := slices.Clone(all)
	other[3].Setting = "upstream.latency.median=5ms"
	if s := sweepOf(t, other); len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "bounded-8 at upstream.latency.median=5ms is omitted") {
		t.Errorf("notes %q", s.Notes)
	}
}

// Each limit is calibrated at its largest number of items, and checked at all.
func TestMostItemsCalibrate(t *testing.T) {
	all := measuredPoints(t)
	fewer := all[2]
	fewer.Items = 500
	fewer.Makespan /= 2
	s := sweepOf(t, append([]whatif.Point{fewer}, all...))
	v, err := s.Validate()
	if err != nil || len(v.Checks) != 8 {
		t.Fatalf("%d checks, error %v", len(v.Checks), err)
	}
	if c := v.Checks[0]; c.InSample != nil || c.LeftOut == nil || c.Extrapolated || !c.LeftOut.Within() {
		t.Errorf("%+v", c)
	}
	if r := s.Range(); r.MinItems != 500 || r.MaxItems != 1000 {
		t.Errorf("%+v", r)
	}
}

func TestWhatIf(t *testing.T) {
	s := sweepOf(t, measuredPoints(t))
	t.Run("nothing is different", func(t *testing.T) {
		a := predict(t, s, "limit=16")
		if a.Items != 1000 || a.Hosts != 1 || len(a.Outside) != 0 || len(a.Caveats) != 0 || a.Extrapolated || math.Abs(a.EquivalentLimit-16) > 0.5 {
			t.Errorf("%+v", a)
		}
		if a.Descriptors != 7+16+16+2 || a.Min > a.Makespan || a.Max < a.Makespan {
			t.Errorf("%d descriptors, makespan %v of [%v, %v]", a.Descriptors, a.Makespan, a.Min, a.Max)
		}
	})
	t.Run("between the limits", func(t *testing.T) {
		a, low, high := predict(t, s, "limit=11"), predict(t, s, "limit=8"), predict(t, s, "limit=16")
		if a.Makespan >= low.Makespan || a.Makespan <= high.Makespan || a.EquivalentLimit < 8 || a.EquivalentLimit > 16 || len(a.Outside) != 0 {
			t.Errorf("%v, busy as %v", a.Makespan, a.EquivalentLimit)
		}
	})
	t.Run("a slower upstream", func(t *testing.T) {
		// sequentially, an item takes 60 ms longer at the median and four times as long
		// to fetch on average
		a, was := predict(t, s, "strategy=sequential,upstream.p50=80ms"), predict(t, s, "strategy=sequential")
		if a.FetchP50 != 80*time.Millisecond {
			t.Errorf("fetch p50 %v", a.FetchP50)
		}
		factor := 80e6 / float64(was.FetchP50)
		want := was.Makespan.Seconds() + 1000*(factor-1)*fetchMean(was).Seconds()
		if got := a.Makespan.Seconds(); math.Abs(got/want-1) > 0.01 {
			t.Errorf("makespan %v s, want %v s", got, want)
		}
		if shaped := predict(t, s, "strategy=sequential,upstream.p50=80ms,upstream.p99=90ms"); shaped.FetchP99.Round(time.Millisecond) != 90*time.Millisecond || shaped.Makespan >= a.Makespan {
			t.Errorf("p99 %v, makespan %v", shaped.FetchP99, shaped.Makespan)
		}
		if relieved := predict(t, s, "limit=64,upstream.p50=200ms"); relieved.EquivalentLimit > 20 {
			t.Errorf("the database is busy as at limit %v", relieved.EquivalentLimit)
		}
	})
	t.Run("a slower database", func(t *testing.T) {
		if a, was := predict(t, s, "limit=8,database.p50=30ms"), predict(t, s, "limit=8"); a.Makespan < 3*was.Makespan/2 || len(a.Caveats) != 1 {
			t.Errorf("%v, was %v, caveats %q", a.Makespan, was.Makespan, a.Caveats)
		}
	})
	t.Run("a slower database has a lower bound", func(t *testing.T) {
		a := predict(t, s, "limit=64,hosts=4,items=20000,database.p50=10ms")
		if !a.Extrapolated || math.Abs(a.Throughput/a.DatabaseBound-1) > 0.05 || a.DatabaseBound > s.DatabaseBound()/4 {
			t.Errorf("%v a second, bound %v, was %v", a.Throughput, a.DatabaseBound, s.DatabaseBound())
		}
	})
	t.Run("many hosts", func(t *testing.T) {
		a := predict(t, s, "items=1e5,limit=64,upstream.p50=80ms,hosts=40")
		// 40 × 64 slots could complete 27,000 per second, but the database is the
		// bottleneck.
		if !a.Extrapolated || math.Abs(a.Throughput/a.DatabaseBound-1) > 0.05 {
			t.Errorf("%v a second, bound %v, beyond %v", a.Throughput, a.DatabaseBound, a.Extrapolated)
		}
		if a.Peak != 40*64 || a.PeakHost != 64 || a.AllDescriptors != 40*(7+64+64+2) {
			t.Errorf("%+v", a)
		}
		for _, want := range []string{"40 hosts", "100000 items", "upstream.p50 80ms", "busier than in any measurement"} {
			if !strings.Contains(strings.Join(a.Outside, "\n"), want) {
				t.Errorf("%q does not say %q", a.Outside, want)
			}
		}
	})
	t.Run("everything at once", func(t *testing.T) {
		// More items than are simulated to find the load. All writes start at about the
		// same time, so the database is busy to the end.
		a := predict(t, s, "items=150000")
		if !a.Extrapolated || a.Peak != 150_000 || math.Abs(a.Throughput/a.DatabaseBound-1) > 0.05 {
			t.Errorf("%v a second, bound %v, %+v", a.Throughput, a.DatabaseBound, a)
		}
	})
	t.Run("bounds of the upstream", func(t *testing.T) {
		if a := predict(t, s, "limit=64,rate=100"); math.Abs(a.Throughput-100) > 3 {
			t.Errorf("%v a second of 100", a.Throughput)
		}
		a := predict(t, s, "strategy=unbounded,capacity=10,items=2000")
		if want := 10 / fetchMean(a).Seconds(); math.Abs(a.Throughput/want-1) > 0.02 || a.Peak != 2000 {
			t.Errorf("%v a second, want %v", a.Throughput, want)
		}
		if caveats := strings.Join(a.Caveats, "\n"); !strings.Contains(caveats, "too many open files") {
			t.Errorf("%d descriptors of %d: caveats %q", a.Descriptors, a.NoFile, caveats)
		}
	})
}

// The upstream's measured rate limit applies to predictions, and points with failures are
// omitted with a note.
func TestTheUpstreamsOwnRate(t *testing.T) {
	all := measuredPoints(t)
	for i := range all {
		all[i].Rate = 100
	}
	all[6].Failed = 0.4 // bounded-64
	s := sweepOf(t, all)
	a := predict(t, s, "limit=64")
	if math.Abs(a.Throughput-100) > 5 {
		t.Errorf("%v a second of 100", a.Throughput)
	}
	if caveats := strings.Join(a.Caveats, "\n"); !strings.Contains(caveats, "above the upstream's 100/s wait here") || !strings.Contains(caveats, "bounded-64 with 1000 items was measured but is omitted: 40 % of the items failed") {
		t.Errorf("caveats %q", a.Caveats)
	}
	faster := predict(t, s, "limit=16,rate=1000")
	if outside := strings.Join(faster.Outside, "\n"); faster.Throughput < 200 || !strings.Contains(outside, "rate 1000/s: the measured upstream allows 100/s") {
		t.Errorf("%v a second, outside %q", faster.Throughput, faster.Outside)
	}
}

func fetchMean(a *whatif.Answer) time.Duration {
	for _, s := range a.Stages {
		if s.Stage == "fetch" {
			return s.Mean
		}
	}
	return 0
}

func BenchmarkPredictMillionItems(b *testing.B) {
	s := sweepOf(b, measuredPoints(b))
	for b.Loop() {
		predict(b, s, "items=1e6,limit=64,upstream.p50=80ms,hosts=40")
	}
}
