package compare_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/compare"
	"floodgate/results/internal/runtest"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// made returns a small run with its times multiplied by a factor.
func made(factor float64, change func(*results.Run)) *results.Run {
	run := runtest.New(runtest.Options{
		Blocks: 8, Bare: true, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": []any{20, 50}}},
		Change: func(t *results.Trial) bool {
			t.Makespan = time.Duration(float64(t.Makespan) * factor)
			return true
		},
	})
	if factor != 1 {
		run.Header.ID += "-b"
	}
	if change != nil {
		change(run)
	}
	return run
}

// compared returns the comparison of two runs, without an error.
func compared(t *testing.T, a, b *results.Run) *compare.Comparison {
	t.Helper()
	c, err := compare.Compare(a, b, compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPaired(t *testing.T) {
	c := compared(t, made(1, nil), made(1.1, nil))
	if !c.Paired || len(c.Rows) != 4 || len(c.Mixed)+len(c.Differences)+len(c.Only) > 0 {
		t.Errorf("%+v, want 4 pairs of rows and nothing between them", c)
	}
	for _, r := range c.Rows {
		if r.Makespan == nil || math.Abs(r.Makespan.Estimate-1.1) > 1e-6 {
			t.Errorf("%s at %s: ratio %+v %s, want 1.1", r.A.Variant, r.A.Level, r.Makespan, r.Why)
		}
	}
}

// Runs of different scenarios: common cells are matched by name, and the others are
// listed.
func TestUnpaired(t *testing.T) {
	other := runtest.New(runtest.Options{
		Seed: 9, Blocks: 8, Bare: true, Variants: runtest.Variants()[:3], Levels: []scenarios.LevelSet{{"items": []any{20, 200}}},
	})
	other.Header.ID += "-b"
	c := compared(t, made(1, nil), other)
	only := []string{"only in A: items=50: all 2 variants", "only in B: items=20: " + runtest.Variants()[2].Name, "only in B: items=200: all 3 variants"}
	if c.Paired || len(c.Rows) != 2 || !slices.Equal(c.Only, only) || len(c.Differences) != 1 || !strings.Contains(c.Differences[0], "in levels, seed, variants") {
		t.Errorf("paired %v, %d rows, only %q, differences %q", c.Paired, len(c.Rows), c.Only, c.Differences)
	}
	for _, r := range c.Rows {
		if r.Makespan == nil || r.Makespan.N != 16 {
			t.Errorf("%s: ratio %+v %s, want one of 8 and 8 trials", r.A.Variant, r.Makespan, r.Why)
		}
	}
}

// The cells of runs with nothing in common are listed in few lines.
func TestNothingInCommon(t *testing.T) {
	other := runtest.New(runtest.Options{
		Blocks: 6, Bare: true, Variants: runtest.Variants()[1:2], Levels: []scenarios.LevelSet{{"items": []any{10, 60}}},
	})
	c := compared(t, made(1, nil), other)
	only := []string{"only in A: items=20, items=50: all 2 variants", "only in B: items=10, items=60: " + runtest.Variants()[1].Name}
	if len(c.Rows) > 0 || !slices.Equal(c.Only, only) {
		t.Errorf("%d rows, only %q", len(c.Rows), c.Only)
	}
}

func TestMixedIsRefused(t *testing.T) {
	for name, change := range map[string]func(*results.Run){
		"kind":     func(r *results.Run) { r.Header.Environment.Kind = "containers" },
		"database": func(r *results.Run) { r.Header.Environment.Database = "MongoDB 1.24.2 (SQLite)" },
		"version":  func(r *results.Run) { r.Header.Environment.Database = "FerretDB 2.24.2 (SQLite)" },
		"target":   func(r *results.Run) { r.Header.Environment.Database = "FerretDB 1.24.2 (SQLite) at mongodb://db/" },
		"upstream": func(r *results.Run) { r.Header.Environment.Upstream = "http://calls.example" },
		"container": func(r *results.Run) {
			for i := range r.Trials {
				r.Trials[i].Container = &results.Container{Name: "sut"}
			}
		},
		"one container": func(r *results.Run) { r.Trials[0].Container = &results.Container{Name: "sut"} },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compare.Compare(made(1, nil), made(1, change), compare.Options{})
			var mixed *compare.MixedError
			if !errors.As(err, &mixed) || !strings.Contains(err.Error(), "--allow-mixed") {
				t.Fatalf("error %v, want that they are mixed", err)
			}
			c, err := compare.Compare(made(1, nil), made(1, change), compare.Options{AllowMixed: true})
			if err != nil || len(c.Mixed) == 0 || !c.AllowedMixed {
				t.Errorf("allowed, %v: the comparison says %q", err, c.Mixed)
			}
		})
	}
	// The reason for choosing an environment does not make it a different one.
	c, err := compare.Compare(made(1, nil), made(1, func(r *results.Run) { r.Header.Environment.Chosen = "no engine" }), compare.Options{AllowMixed: true})
	if err != nil || len(c.Mixed) > 0 || c.AllowedMixed {
		t.Errorf("%v, %q", err, c.Mixed)
	}
}

// B against A is the inverse of A against B, whether paired or not.
func TestComparisonIsSymmetric(t *testing.T) {
	for name, seed := range map[string]uint64{"paired": 0, "unpaired": 5} {
		a := made(1, nil)
		b := runtest.New(runtest.Options{Seed: seed, Blocks: 8, Bare: true, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": []any{20, 50}}},
			Change: func(t *results.Trial) bool {
				t.Makespan += time.Duration(t.Block) * 10 * time.Millisecond
				return true
			}})
		c, d := compared(t, a, b), compared(t, b, a)
		if c.Paired != (name == "paired") || c.Paired != d.Paired {
			t.Errorf("%s: paired %v and %v", name, c.Paired, d.Paired)
		}
		for i := range c.Rows {
			x, y := c.Rows[i].Makespan, d.Rows[i].Makespan
			if math.Abs(x.Estimate*y.Estimate-1) > 1e-6 || math.Abs(x.Low*y.High-1) > 1e-6 || x.Low > x.Estimate || x.Estimate > x.High {
				t.Errorf("%s: %+v and %+v", name, x, y)
			}
		}
	}
}

func TestOneRunIsItself(t *testing.T) {
	run := made(1, nil)
	c := compared(t, run, run)
	if len(c.Differences) != 1 || c.Differences[0] != "both are the same run" {
		t.Errorf("differences %q", c.Differences)
	}
	for _, r := range c.Rows {
		if r.Makespan.Low != 1 || r.Makespan.High != 1 {
			t.Errorf("%s: %+v", r.A.Variant, r.Makespan)
		}
	}
}

// The draws of an external upstream are unknown, so blocks are not pairs.
func TestForeignUpstreamIsUnpaired(t *testing.T) {
	foreign := func(r *results.Run) {
		r.Header.Environment = results.Environment{Kind: "external", Database: "MongoDB 8.0.4 at mongodb://db/", Upstream: "https://calls.example"}
		for i := range r.Trials {
			r.Trials[i].Upstream = nil
		}
	}
	if c := compared(t, made(1, foreign), made(1.1, foreign)); c.Paired || c.Rows[0].Makespan.N != 16 {
		t.Errorf("paired %v, %+v", c.Paired, c.Rows[0].Makespan)
	}
}

func TestDifferences(t *testing.T) {
	environment := func(e results.Environment) func(*results.Run) {
		return func(r *results.Run) { r.Header.Environment = e }
	}
	contained := results.Environment{Kind: "containers", Database: "MongoDB 8.0.4", Upstream: "mock upstream", Engine: "Docker 27.1"}
	other := contained
	other.Database, other.Engine, other.Containers = "MongoDB 8.1.2", "Docker 28.0", []results.Container{{Name: "database", CPUs: 0.5, Memory: 1 << 30}, {Name: "upstream", CPUs: 1, Memory: 64 << 20}, {Name: "other"}}
	for name, test := range map[string]struct {
		a, b  func(*results.Run)
		want  []string
		local bool
	}{
		"none": {nil, nil, nil, false},
		"machine": {nil, func(r *results.Run) { r.Header.Fingerprint.Cores, r.Header.Fingerprint.Go = 8, "go1.27" },
			[]string{"the conditions differ (cores 2 and 8)", "Go go1.26.8 and go1.27"}, true},
		"quota": {func(r *results.Run) { r.Header.Fingerprint.GOMAXPROCS = 64 }, func(r *results.Run) { r.Header.Fingerprint.GOMAXPROCS, r.Header.Fingerprint.CPUQuota = 1, 1 },
			[]string{"the conditions differ (processors GOMAXPROCS 64 and GOMAXPROCS 1, CPU quota 1 core)"}, true},
		"not recorded in one": {nil, func(r *results.Run) { r.Header.Fingerprint.GOMAXPROCS = 2 },
			[]string{"the conditions differ (processors not recorded and GOMAXPROCS 2)"}, true},
		"revision": {nil, func(r *results.Run) { r.Header.Fingerprint.Revision = "another" }, nil, false},
		"unfinished": {nil, func(r *results.Run) { r.Trials, r.Complete = r.Trials[:20], false },
			[]string{"run B is not finished: 20 of 32 trials"}, false},
		"containers": {environment(contained), environment(other), []string{
			"the conditions differ (limits of containers none and database 0.5 CPUs and 1.0 GiB, upstream 1 CPU and 64 MiB)",
			"database version MongoDB 8.0.4 and MongoDB 8.1.2",
			"container engine Docker 27.1 and Docker 28.0",
		}, true},
		"variants": {nil, func(r *results.Run) {
			variants := runtest.Variants()[:2]
			variants[1].Limit = 20
			b := runtest.New(runtest.Options{Blocks: 8, Bare: true, Variants: variants, Levels: []scenarios.LevelSet{{"items": []any{20, 50}}}})
			r.Header.Scenario, r.Header.Hash = b.Header.Scenario, b.Header.Hash
		}, []string{
			"the scenarios differ (in variants): variants and levels are matched by name",
			"the scenarios define variant joined-10 differently",
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := compared(t, made(1, test.a), made(1.1, test.b))
			if diff := cmp.Diff(test.want, c.Differences); diff != "" || c.Local != test.local {
				t.Errorf("local %v, %s", c.Local, diff)
			}
		})
	}
}

// Trials with different work are not compared.
func TestOnlyTheSameWorkCounts(t *testing.T) {
	broken := func(r *results.Run) {
		for i := range r.Trials {
			if r.Trials[i].Block == 0 {
				r.Trials[i].Outcome, r.Trials[i].Makespan = results.OutcomeCrashed, 0
			} else if r.Trials[i].Block < 4 {
				r.Trials[i].ItemsFailed = new(3)
			}
		}
	}
	paired := compared(t, made(1, nil), made(1.1, broken))
	for _, r := range paired.Rows {
		if r.Makespan != nil || !strings.HasPrefix(r.Why, "4 observations are too few") || len(r.Missing) != 2 || r.Missing[0].Blocks != 3 || r.Missing[1].Why != "B crashed" {
			t.Errorf("%s: ratio %+v %q of 4 pairs, missing %v", r.A.Variant, r.Makespan, r.Why, r.Missing)
		}
	}
	if paired.B.NotOK[results.OutcomeCrashed] != 4 || paired.A.NotOK != nil {
		t.Errorf("trials not measured: %v and %v, want none and 4 crashed", paired.A.NotOK, paired.B.NotOK)
	}
	// If the same number of items fails in the same blocks, the work is the same.
	same := compared(t, made(1, broken), made(1.1, broken))
	for _, r := range same.Rows {
		if r.Makespan == nil || r.Makespan.N != 7 {
			t.Errorf("%s: ratio %+v %s, want one of 7 pairs", r.A.Variant, r.Makespan, r.Why)
		}
	}
	// With other draws, the failed items may differ.
	unpaired := compared(t, made(1, nil), made(1.1, func(r *results.Run) {
		broken(r)
		r.Header.Seed++
	}))
	for _, r := range unpaired.Rows {
		if r.Makespan == nil || r.Makespan.N != 8+4 || len(r.Missing) != 2 || r.Missing[1].Why != "items failed in B" {
			t.Errorf("%s: ratio %+v %s of 8 and 4 trials, missing %v", r.A.Variant, r.Makespan, r.Why, r.Missing)
		}
	}
}

// A run that contradicts its own scenario is not compared.
func TestContradictoryRunsAreRefused(t *testing.T) {
	for i := range 2 {
		runs := []*results.Run{made(1, nil), made(1.1, nil)}
		runs[i].Trials[3].Variant = "nobody"
		if _, err := compare.Compare(runs[0], runs[1], compare.Options{}); err == nil || !strings.Contains(err.Error(), `variant "nobody"`) {
			t.Errorf("run %c: %v", 'A'+i, err)
		}
		runs[i].Header.Search = true
		if _, err := compare.Compare(runs[0], runs[1], compare.Options{}); err == nil || !strings.Contains(err.Error(), "it is a plan, not a run") {
			t.Errorf("plan %c: %v", 'A'+i, err)
		}
	}
}

func TestDecision(t *testing.T) {
	if got := (&compare.Comparison{}).Decision(); got != verdict.Inconclusive {
		t.Errorf("nothing in common: %s", got)
	}
	if got := (&compare.Comparison{Rows: make([]compare.Row, 1)}).Decision(); got != verdict.Passed {
		t.Errorf("a row: %s", got)
	}
}
