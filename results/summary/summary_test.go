package summary_test

import (
	"math"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"floodgate/results"
	"floodgate/results/internal/runtest"
	"floodgate/results/summary"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

func table(t *testing.T, o runtest.Options) *summary.Table {
	t.Helper()
	x, err := summary.NewIndex(runtest.New(o))
	if err != nil {
		t.Fatal(err)
	}
	got, err := x.Table()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func small(change func(*results.Trial) bool) runtest.Options {
	return runtest.Options{Blocks: 7, Bare: true, Change: change, Levels: []scenarios.LevelSet{{"items": 20}},
		Variants: []scenarios.Variant{{Name: "ten", Strategy: "bounded", Limit: 10}, {Name: "one", Strategy: "sequential"}}}
}

func TestRow(t *testing.T) {
	got := table(t, small(func(t *results.Trial) bool {
		t.Makespan, t.Ideal = 1000*time.Millisecond, 900*time.Millisecond
		if t.Variant == "ten" {
			t.Makespan, t.Ideal = time.Duration(200+t.Block)*time.Millisecond, 100*time.Millisecond
			t.Descriptors = results.Descriptors{Peak: 20 + t.Block, Predicted: 30, Samples: 5}
			t.Errors = []results.ErrorCount{{Type: "timeout", Count: 2}, {Type: "emfile", Count: 1}}
			t.Documents = &results.Documents{Expected: 20, Found: 20}
			t.Resources = results.Resources{UserCPU: time.Second, SystemCPU: time.Duration(t.Block) * time.Second, PeakRSS: int64(t.Block)}
		}
		if t.Block < 2 {
			t.ItemsFailed, t.Throttled = new(3), 5
		}
		if t.Variant == "ten" && t.Block == 6 {
			t.Outcome, t.Documents = results.OutcomeCrashed, nil
		}
		return true
	}))
	want := summary.Row{
		Variant: "ten", Level: "items=20", Planned: 7, OK: 6, NotOK: map[string]int{results.OutcomeCrashed: 1},
		Makespan: new(202500 * time.Microsecond), CPU: new(3500 * time.Millisecond), PeakRSS: new(int64(3)),
		Partial: 2, ItemsFailed: 6, Throttled: 10, Efficiency: new((100/202. + 100/203.) / 2),
		Reduction: &summary.Reduction{Estimate: 1 - math.Sqrt(.202*.203), Low: new(1 - .205), High: new(1 - .200), Pairs: 6},
		Peak:      new(26), Predicted: 30, Errors: map[string]int{"timeout": 14, "emfile": 7},
		Documents: results.Documents{Expected: 120, Found: 120}, Checked: 6,
	}
	if got.Reference != "one" || len(got.Rows) != 2 {
		t.Fatalf("%+v", got)
	}
	if diff := cmp.Diff(want, got.Rows[0], cmpopts.EquateApprox(0, 2e-5)); diff != "" {
		t.Error(diff)
	}
	if got.Rows[1].Reduction != nil {
		t.Error("the baseline has a reduction against itself")
	}
}

// Every built-in scenario survives being stored.
func TestBuiltinScenariosComeBack(t *testing.T) {
	for _, name := range scenarios.BuiltinNames() {
		sc, err := scenarios.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, sc := range []*scenarios.Scenario{sc, sc.Quickened()} {
			run := new(results.Run)
			if err := run.Header.SetScenario(sc); err != nil {
				t.Fatal(err)
			}
			x, err := summary.NewIndex(run)
			if err != nil {
				t.Fatal(err)
			}
			want, err := sc.ExpandLevels()
			if err != nil {
				t.Fatal(err)
			}
			names := func(levels []scenarios.Level) (all []string) {
				for _, l := range levels {
					all = append(all, l.Name)
				}
				return all
			}
			if diff := cmp.Diff(names(want), names(x.Levels)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if hash, err := results.ScenarioHash(x.Scenario); err != nil || hash != run.Header.Hash {
				t.Errorf("%s: hash %s, came back as %s, %v", name, run.Header.Hash, hash, err)
			}
		}
	}
}

func TestUnavailableIsNotZero(t *testing.T) {
	got := table(t, small(func(t *results.Trial) bool {
		t.Ideal, t.Documents, t.Descriptors = 0, nil, results.Descriptors{}
		return t.Variant == "ten"
	}))
	ten, one := got.Rows[0], got.Rows[1]
	for _, r := range []summary.Row{ten, one} {
		if r.ItemP50 != nil || r.ItemP99 != nil || r.Efficiency != nil || r.Peak != nil || r.Checked != 0 || r.Reduction != nil {
			t.Errorf("%+v", r)
		}
	}
	if ten.Makespan == nil || one.Makespan != nil || one.OK != 0 {
		t.Errorf("%+v, %+v", ten, one)
	}
}

// Quantiles are those of all values of all trials, not means of quantiles.
func TestHistogramsAreMerged(t *testing.T) {
	all := hdrhistogram.New(1000, int64(time.Hour), 3)
	got := table(t, small(func(t *results.Trial) bool {
		h := hdrhistogram.New(1000, int64(time.Hour), 3)
		for i := range 100 {
			v := int64(i+1) * int64(t.Block*t.Block+1) * int64(time.Millisecond)
			if err := h.RecordValue(v); err != nil {
				panic(err)
			}
			if t.Variant == "ten" {
				if err := all.RecordValue(v); err != nil {
					panic(err)
				}
			}
		}
		enc, err := results.NewHistogram(h)
		if err != nil {
			panic(err)
		}
		t.Stages = map[string]results.Histogram{"item": enc}
		return true
	}))
	if r := got.Rows[0]; int64(*r.ItemP50) != all.ValueAtQuantile(50) || int64(*r.ItemP99) != all.ValueAtQuantile(99) {
		t.Errorf("p50 %v, p99 %v; want %d, %d", *r.ItemP50, *r.ItemP99, all.ValueAtQuantile(50), all.ValueAtQuantile(99))
	}
}

func TestFewPairsHaveNoInterval(t *testing.T) {
	got := table(t, small(func(t *results.Trial) bool { return t.Block < 5 }))
	if r := got.Rows[0].Reduction; r == nil || r.Low != nil || r.High != nil || r.Pairs != 5 {
		t.Errorf("%+v", r)
	}
}

func TestReferenceIsTheFirstSequential(t *testing.T) {
	o := small(nil)
	o.Variants = o.Variants[:1]
	if got := table(t, o); got.Reference != "" || got.Rows[0].Reduction != nil {
		t.Errorf("%+v", got)
	}
}

// A service has no makespan, which could be compared with that of a sequential variant.
func TestServiceHasNoReference(t *testing.T) {
	x, err := summary.NewIndex(runtest.Service(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	x.Scenario.Variants[0].Strategy = pipeline.KindSequential
	got, err := x.Table()
	if err != nil || got.Reference != "" || got.Rows[1].Reduction != nil {
		t.Errorf("%+v, %v", got, err)
	}
}
