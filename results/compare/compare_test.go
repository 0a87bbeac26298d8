package compare_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/compare"
	"floodgate/results/internal/runtest"
	"floodgate/scenarios"
)

// made is a small run with its times multiplied.
func made(factor float64, change func(*results.Run)) *results.Run {
	run := runtest.New(runtest.Options{
		Blocks: 8, Bare: true, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": []any{20, 50}}},
		Change: func(t *results.Trial) bool {
			t.Makespan = time.Duration(float64(t.Makespan) * factor)
			return true
		},
	})
	if change != nil {
		change(run)
	}
	return run
}

func TestPaired(t *testing.T) {
	c, err := compare.Compare(made(1, nil), made(1.1, nil), compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Paired || len(c.Rows) != 4 || len(c.Mixed)+len(c.Differences)+len(c.Only) > 0 {
		t.Errorf("%+v, want 4 pairs of rows and nothing between them", c)
	}
	for _, r := range c.Rows {
		if r.Makespan == nil || math.Abs(r.Makespan.Estimate-1.1) > 1e-6 {
			t.Errorf("%s at %s: ratio %+v %s, want 1.1", r.A.Variant, r.A.Level, r.Makespan, r.Why)
		}
	}
}

// Another scenario: what both have is matched by name, what one has is named.
func TestUnpaired(t *testing.T) {
	other := runtest.New(runtest.Options{
		Seed: 9, Blocks: 8, Bare: true, Variants: runtest.Variants()[:3], Levels: []scenarios.LevelSet{{"items": []any{20, 200}}},
	})
	c, err := compare.Compare(made(1, nil), other, compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Paired || len(c.Rows) != 2 || len(c.Only) != 2+4 || len(c.Differences) != 1 {
		t.Errorf("paired %v, %d rows, only %q, differences %q", c.Paired, len(c.Rows), c.Only, c.Differences)
	}
	for _, r := range c.Rows {
		if r.Makespan == nil || r.Makespan.N != 16 {
			t.Errorf("%s: ratio %+v %s, want one of 8 and 8 trials", r.A.Variant, r.Makespan, r.Why)
		}
	}
}

func TestMixedIsRefused(t *testing.T) {
	for name, change := range map[string]func(*results.Run){
		"kind":     func(r *results.Run) { r.Header.Environment.Kind = "containers" },
		"database": func(r *results.Run) { r.Header.Environment.Database = "MongoDB 8.0.4" },
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
			if err != nil || len(c.Mixed) == 0 {
				t.Errorf("allowed, %v: the comparison says %q", err, c.Mixed)
			}
		})
	}
	// Why an environment was taken makes no other one of it.
	c, err := compare.Compare(made(1, nil), made(1, func(r *results.Run) { r.Header.Environment.Chosen = "no engine" }), compare.Options{AllowMixed: true})
	if err != nil || len(c.Mixed) > 0 {
		t.Errorf("%v, %q", err, c.Mixed)
	}
}

func TestDifferences(t *testing.T) {
	b := made(1, func(r *results.Run) {
		r.Header.Fingerprint.Cores++
		r.Trials, r.Complete = r.Trials[:20], false
	})
	c, err := compare.Compare(made(1, nil), b, compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(c.Differences, "\n")
	if !strings.Contains(text, "times do not travel") || !strings.Contains(text, "run B is not finished: 20 of 32 trials") {
		t.Errorf("differences %q", c.Differences)
	}
}

// Trials that failed, or whose items did, took another time: they do not count.
func TestOnlyTheSameWorkCounts(t *testing.T) {
	broken := made(1, func(r *results.Run) {
		for i := range r.Trials {
			if r.Trials[i].Block == 0 {
				r.Trials[i].Outcome, r.Trials[i].Makespan = results.OutcomeCrashed, 0
			}
			if r.Trials[i].Block < 4 {
				r.Trials[i].ItemsFailed = new(3)
			}
		}
	})
	c, err := compare.Compare(made(1, nil), broken, compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Rows {
		if r.Makespan != nil || !strings.Contains(r.Why, "at least 6") {
			t.Errorf("%s: ratio %+v %q of 4 pairs, want that they are too few", r.A.Variant, r.Makespan, r.Why)
		}
	}
}
