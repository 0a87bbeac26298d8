package abtest_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"floodgate/bench/abtest"
	records "floodgate/results"
	results "floodgate/results/pairs"
	"floodgate/results/stats"
	"floodgate/scenarios"
)

// comparePairs compares two machines, and returns the stored trials of each.
func comparePairs(t *testing.T, a, b *machine) (v *results.Outcome, stored [2]*records.Run) {
	t.Helper()
	full, err := abtest.SelfTestScenario()
	if err != nil {
		t.Fatal(err)
	}
	v = &results.Outcome{Kind: results.Revisions, Seed: 7, Design: stats.DefaultDesign()}
	var s *scenarios.Scenario
	if s, err = abtest.Restrict(full, nil, "", v.Design); err != nil {
		t.Fatal(err)
	}
	p := abtest.Pairs{Scenario: s, Progress: func(int, int) {}, Note: func(string) {}}
	for i, side := range []struct {
		name    string
		machine *machine
		into    *abtest.Side
	}{{"a", a, &p.A}, {"b", b, &p.B}} {
		side.machine.random = rand.New(rand.NewPCG(uint64(i), 4))
		env := records.Environment{Kind: "embedded", Database: "none", Upstream: "none"}
		store, err := abtest.CreateRecord(t.TempDir(), side.name, s, env, records.Fingerprint{}, results.Side{}, nil, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		*side.into = abtest.Side{Tester: side.machine, Store: store}
	}
	if _, err := abtest.RunPairs(t.Context(), v, p); err != nil {
		t.Fatal(err)
	}
	for i, store := range []*records.Store{p.A.Store, p.B.Store} {
		if stored[i], err = records.Open(store.Dir()); err != nil {
			t.Fatal(err)
		}
	}
	return v, stored
}

// A side with three failed trials in a row ends the comparison. Each side has its own
// count, and its warm-up trial is neither counted nor stored.
func TestASideThatFailsEndsTheComparison(t *testing.T) {
	a := &machine{noise: 0.01, fails: func(trial int) bool { return trial%3 == 0 }} // never twice in a row
	b := &machine{noise: 0.01, fails: func(trial int) bool { return trial == 3 || trial == 4 || trial > 5 }}
	v, stored := comparePairs(t, a, b)
	if want := "3 trials of B in a row; reason of the last one: the database is gone"; v.Unmeasured != want {
		t.Errorf("unmeasured because %q, want %q", v.Unmeasured, want)
	}
	// The first trial of B is its warm-up, and trials 6, 7 and 8 fail.
	if len(stored[0].Trials) != 7 || len(stored[1].Trials) != 7 || b.trials != 8 || a.trials != 8 {
		t.Errorf("%d and %d trials are stored of %d and %d", len(stored[0].Trials), len(stored[1].Trials), a.trials, b.trials)
	}
}

// A side that cannot start is not compared.
func TestASideThatCannotBegin(t *testing.T) {
	v, stored := comparePairs(t, &machine{fails: func(trial int) bool { return trial == 1 }}, &machine{})
	if want := "A could not start: the database is gone"; v.Unmeasured != want || len(stored[0].Trials)+len(stored[1].Trials) != 0 {
		t.Errorf("unmeasured because %q, %d trials stored", v.Unmeasured, len(stored[0].Trials))
	}
}
