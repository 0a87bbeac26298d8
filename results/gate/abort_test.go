package gate_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/internal/runtest"
	"floodgate/scenarios"
)

// Whatever the trials to come give, a run that was to end early would have
// broken the threshold; and one that broke it at its last trial is ended.
func TestAbortIsNeverWrong(t *testing.T) {
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
		whole, err := gate.Judge(run)
		if err != nil {
			t.Fatal(err)
		}
		isBroken := whole.Thresholds[0].Decision == gate.Broken
		if isBroken {
			broken++
		}
		for n := range len(run.Trials) + 1 {
			part := *run
			part.Trials, part.Complete = slices.Clone(run.Trials[:n]), n == len(run.Trials)
			rule, err := gate.Abort(&part)
			if err != nil {
				t.Fatal(err)
			}
			if rule != "" && !isBroken {
				t.Fatalf("%s: ended after %d trials, but the whole run says %s: %+v", rule, n, whole.Thresholds[0].Decision, whole.Thresholds[0].Evidence)
			}
			if rule != "" && n < len(run.Trials) {
				early++
				return
			}
			if n == len(run.Trials) && isBroken && rule == "" {
				t.Fatalf("%s is broken and did not end the run", whole.Thresholds[0].Rule)
			}
		}
	})
	if early == 0 || broken == 0 {
		t.Errorf("%d runs ended early, %d broke the threshold: nothing was tested", early, broken)
	}
}

// A verdict on a run that ended early says so, and fails.
func TestAbortedRun(t *testing.T) {
	run := runtest.New(runtest.Options{Bare: true, Blocks: 6, Variants: pair(), Levels: []scenarios.LevelSet{{"items": 20}},
		Change: func(trial *results.Trial) bool { known(trial); return trial.Block < 1 }})
	v, err := gate.Judge(runtest.Budgeted(run, scenarios.Threshold{Rule: "ten.fd.peak < 20", Abort: true}))
	if err != nil {
		t.Fatal(err)
	}
	want := `the run ended early: no trial to come could have kept "ten.fd.peak < 20"`
	if v.EndedBy != "ten.fd.peak < 20" || v.Exit != gate.ExitFailed || !slices.Contains(v.Notes, want) {
		t.Errorf("exit %d, notes %q; want %d and %q", v.Exit, v.Notes, gate.ExitFailed, want)
	}
}
