package claims_test

import (
	"encoding/json"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// A run is ended early only if its threshold would be violated whatever the remaining
// trials are; and a run whose last trial violates the threshold is ended by it.
func TestAbortIsNeverWrong(t *testing.T) {
	tb := t
	rules := []string{
		"ten.item.p99 < 100ms", "ten.item.p50 > 60ms", "ten.item.mean <= 80ms", "ten.item.max < 150ms",
		"ten.makespan < 2s", "ten.makespan > 2s", "ten.makespan == 2s", "ten.efficiency >= 50%", "ten.fd.peak <= 30", "ten.fd.peak > 30",
		"ten.errors.total <= 4", "ten.errors.total == 4", "ten.errors.total >= 4",
	}
	early, broken := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		change := func(trial *results.Trial) bool {
			known(trial)
			latency := time.Duration(rapid.IntRange(20, 200).Draw(t, "latency")) * time.Millisecond
			trial.Stages["item"] = runtest.Constant(latency, 100)
			trial.Makespan = time.Duration(rapid.IntRange(1, 3).Draw(t, "makespan")) * time.Second
			trial.Descriptors.Peak = rapid.IntRange(10, 50).Draw(t, "peak")
			trial.Errors = []results.ErrorCount{{Type: "reset", Count: rapid.IntRange(0, 2).Draw(t, "errors")}}
			return true
		}
		run := runtest.New(runtest.Options{Bare: true, Blocks: 6, Variants: pair(), Levels: []scenarios.LevelSet{{"items": 20}}, Change: change})
		run = runtest.Budgeted(run, scenarios.Threshold{Rule: rapid.SampledFrom(rules).Draw(t, "rule"), Abort: true})
		whole, err := claims.Judge(run)
		if err != nil {
			t.Fatal(err)
		}
		isBroken := whole.Thresholds[0].Decision == verdict.Violated
		if isBroken {
			broken++
		}
		aborter := aborterOf(tb, run)
		for n, trial := range run.Trials {
			rule, err := aborter.Add(trial)
			if err != nil {
				t.Fatal(err)
			}
			part := *run
			part.Trials, part.Complete = run.Trials[:n+1], n+1 == len(run.Trials)
			anew, err := claims.Judge(&part)
			if err != nil {
				t.Fatal(err)
			}
			about := trial.Variant == "ten"
			if now := about && anew.Thresholds[0].Decision == verdict.Violated; now != (rule != "") {
				t.Fatalf("after %d trials the aborter says %q, and a judgment of them all that it is %s", n+1, rule, anew.Thresholds[0].Decision)
			}
			if rule != "" && !isBroken {
				t.Fatalf("%s: ended after %d trials, but the whole run says %s: %+v", rule, n+1, whole.Thresholds[0].Decision, whole.Thresholds[0].Evidence)
			}
			if rule != "" && !part.Complete {
				early++
				return
			}
		}
	})
	if early == 0 || broken == 0 {
		t.Errorf("%d runs ended early, %d broke the threshold: nothing was tested", early, broken)
	}
}

// aborterOf returns the Aborter of a run without trials.
func aborterOf(t testing.TB, run *results.Run) *claims.Aborter {
	t.Helper()
	var s scenarios.Scenario
	if err := json.Unmarshal(run.Header.Scenario, &s); err != nil {
		t.Fatal(err)
	}
	a, err := claims.NewAborter(&s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// longRun returns a run that meets its thresholds, which use every kind of tally.
func longRun() *results.Run {
	run := runtest.New(runtest.Options{Bare: true, Blocks: 6, Variants: pair(), Levels: []scenarios.LevelSet{{"items": 20}},
		Change: func(t *results.Trial) bool { known(t); return true }})
	return runtest.Budgeted(run,
		scenarios.Threshold{Rule: "ten.item.p99 < 1h", Abort: true},
		scenarios.Threshold{Rule: "ten.makespan < 1h", Abort: true},
		scenarios.Threshold{Rule: "ten.fd.peak < 100000", Abort: true},
		scenarios.Threshold{Rule: "ten.errors.total <= 1000000", Abort: true},
		scenarios.Threshold{Rule: "ten.documents.lost <= 1000000", Abort: true})
}

// ofTen returns the index of the first trial of the variant in the thresholds.
func ofTen(run *results.Run) int {
	return slices.IndexFunc(run.Trials, func(t results.Trial) bool { return t.Variant == "ten" })
}

// A trial costs the same after 10,000 others as after 100; its allocations would grow if
// the others were read or judged again.
func TestATrialIsJudgedWithoutThoseBeforeIt(t *testing.T) {
	run := longRun()
	a, trial := aborterOf(t, run), run.Trials[ofTen(run)]
	allocated := func() uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 10 {
			if rule, err := a.Add(trial); err != nil || rule != "" {
				t.Fatal(rule, err)
			}
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) / 10
	}
	added := 0
	until := func(n int) uint64 {
		for ; added < n; added++ {
			if _, err := a.Add(trial); err != nil {
				t.Fatal(err)
			}
		}
		return allocated()
	}
	few, many := until(100), until(10_000)
	if many > 2*few {
		t.Errorf("a trial allocates %d bytes after 100 others, %d after 10000", few, many)
	}
}

// The verdict on a run that ended early names the threshold, and fails.
func TestAbortedRun(t *testing.T) {
	run := runtest.New(runtest.Options{Bare: true, Blocks: 6, Variants: pair(), Levels: []scenarios.LevelSet{{"items": 20}},
		Change: func(trial *results.Trial) bool { known(trial); return trial.Block < 1 }})
	v, err := claims.Judge(runtest.Budgeted(run, scenarios.Threshold{Rule: "ten.fd.peak < 20", Abort: true}))
	if err != nil {
		t.Fatal(err)
	}
	want := `stopped early: threshold "ten.fd.peak < 20" can no longer be met`
	if v.EndedBy != "ten.fd.peak < 20" || v.Exit != verdict.ExitFailed || !slices.Contains(v.Notes, want) {
		t.Errorf("exit %d, notes %q; want %d and %q", v.Exit, v.Notes, verdict.ExitFailed, want)
	}
}
