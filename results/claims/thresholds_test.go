package claims_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// known sets every metric of a trial to a known value.
func known(t *results.Trial) bool {
	t.Makespan, t.Ideal = 2*time.Second, time.Second
	t.Stages = map[string]results.Histogram{"item": runtest.Constant(100*time.Millisecond, 99), "queue": runtest.Constant(5*time.Millisecond, 10)}
	t.Resources.UserCPU, t.Resources.SystemCPU, t.Resources.PeakRSS = 300*time.Millisecond, 100*time.Millisecond, 32<<20
	t.Descriptors.Peak, t.Descriptors.Inside = 20+t.Block, nil
	return true
}

// budgeted judges a run of the variants of pair at 20 items with thresholds.
func budgeted(t *testing.T, change func(*results.Trial) bool, thresholds ...scenarios.Threshold) *claims.Outcome {
	t.Helper()
	run := runtest.New(runtest.Options{Bare: true, Blocks: 6, Variants: pair(), Levels: []scenarios.LevelSet{{"items": 20}}, Change: change})
	v, err := claims.Judge(runtest.Budgeted(run, thresholds...))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wantBudget checks the decision of the only threshold, its exit code and its value.
func wantBudget(t *testing.T, v *claims.Outcome, decision verdict.Word) claims.Threshold {
	t.Helper()
	judged := v.Thresholds[0]
	if judged.Decision != decision || v.Exit != decision.Decision().ExitCode() {
		t.Errorf("%s: %s, exit %d, want %s, %d; %+v", judged.Rule, judged.Decision, v.Exit, decision, decision.Decision().ExitCode(), judged.Evidence)
	}
	return judged
}

// Every metric meets a limit on one side of its value and violates one on the other.
func TestThresholdMetrics(t *testing.T) {
	losing := false // documents, so that budgets of times and resources are inconclusive
	counted := func(t *results.Trial) bool {
		known(t)
		if t.Block == 3 {
			t.Errors = []results.ErrorCount{{Type: "emfile", Side: "mongo", Count: 4}, {Type: "timeout", Side: "upstream", Count: 3}}
			t.Documents.Duplicate, t.Documents.Corrupt, t.Documents.Foreign = 2, 3, 4
			if losing {
				t.Documents.Lost = 1
			}
			t.Descriptors.Leaked = new(5)
			t.Resources.PeakRSS = 64 << 20
			t.Stages["item"] = runtest.Constant(200*time.Millisecond, 7)
			t.Makespan = 3 * time.Second
			t.Resources.Goroutines, t.Resources.Threads, t.Resources.Allocs = new(40), 11, new(uint64(20*90))
			t.Descriptors.Outside = &results.Kinds{Upstream: 12, Mongo: 9}
			t.ItemsFailed, t.Upstream = new(2), &results.UpstreamStats{Requests: 25, PeakInFlight: 14}
		} else {
			t.Resources.Goroutines, t.Resources.Threads, t.Resources.Allocs = new(30), 9, new(uint64(20*80))
			t.Descriptors.Outside = &results.Kinds{Upstream: 10, Mongo: 8}
			t.ItemsFailed, t.Upstream = new(0), &results.UpstreamStats{Requests: 20, PeakInFlight: 10}
		}
		return true
	}
	for rule, value := range map[string]float64{
		"ten.item.p50 %s 150ms": 100e6, "ten.item.p95 %s 150ms": 100e6, "ten.item.p99 %s 150ms": 200e6, "ten.item.max %s 150ms": 200e6,
		"ten.item.mean %s 101ms": 101.394e6, "ten.queue.p99 %s 6ms": 5e6, "ten.makespan %s 2.5s": 2e9, "ten.efficiency %s 40%%": 0.5,
		"ten.cpu %s 1s": 0.4e9, "ten.rss.peak %s 48MiB": 64 << 20, "ten.fd.peak %s 24": 25, "ten.fd.leaked %s 4": 5,
		"ten.goroutines.peak %s 39": 40, "ten.threads.peak %s 11": 11, "ten.allocs %s 89": 90, "ten.items.failed %s 1": 2,
		"ten.fd.upstream %s 11": 12, "ten.fd.mongo %s 9": 9, "ten.upstream.requests %s 124": 125, "ten.upstream.in_flight %s 14": 14,
		"ten.errors.total %s 8": 7, "ten.errors.emfile %s 3": 4, "ten.errors.timeout %s 4": 3, "ten.errors.reset %s 1": 0,
		"ten.documents.lost %s 2": 1, "ten.documents.duplicate %s 1": 2, "ten.documents.corrupt %s 4": 3, "ten.documents.foreign %s 3": 4,
	} {
		for _, op := range []string{"<=", ">"} {
			b, err := scenarios.ParseBudget(fmt.Sprintf(rule, op))
			if err != nil {
				t.Fatal(err)
			}
			losing = strings.Contains(rule, "documents")
			decision := verdict.Violated
			if kept, _ := b.Met(value, 0); kept {
				decision = verdict.Met
			}
			e := wantBudget(t, budgeted(t, counted, scenarios.Threshold{Rule: b.String()}), decision).Evidence[0]
			if got := *e.Value; got < 0.999*value || got > 1.001*value || e.N != 6 || *e.Limit != b.Limit {
				t.Errorf("%s: %g beside %g, n=%d; want %g beside %g, n=6", b, got, *e.Limit, e.N, value, b.Limit)
			}
		}
	}
}

// A SUT that does not do its work meets no budget of times and resources, however fast it
// is, but violates those that it exceeds.
func TestThresholdOfWorkNotDone(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*results.Trial)
		why    string
	}{
		"lost":     {func(t *results.Trial) { t.Documents.Lost = t.Documents.Found; t.Documents.Found = 0 }, "lost documents"},
		"unseen":   {func(t *results.Trial) { t.Upstream = &results.UpstreamStats{} }, "did not fetch every item"},
		"half":     {func(t *results.Trial) { t.Upstream = &results.UpstreamStats{Requests: 10} }, "did not fetch every item"},
		"too much": {func(t *results.Trial) { t.Overrun = &results.Overrun{Efficiency: 6} }, "exceeded its declared limit"},
	} {
		idle := func(t *results.Trial) bool {
			known(t)
			t.ItemsFailed = new(0)
			if t.Variant == "ten" {
				c.change(t)
			}
			return true
		}
		for rule, want := range map[string]verdict.Word{
			"ten.makespan < 1h": verdict.Undecided, "ten.efficiency >= 1%": verdict.Undecided, "ten.fd.peak < 1000": verdict.Undecided,
			"ten.item.p99 < 1h": verdict.Undecided, "ten.items.failed == 0": verdict.Met, "ten.makespan < 1ns": verdict.Violated,
		} {
			e := wantBudget(t, budgeted(t, idle, scenarios.Threshold{Rule: rule}), want).Evidence[0]
			if want == verdict.Undecided && (len(e.Missing) != 1 || e.Missing[0] != summary.Missing{Why: c.why, Blocks: 6}) {
				t.Errorf("%s: %s: missing %+v, want %s in 6 blocks", name, rule, e.Missing, c.why)
			}
		}
	}
}

// With missing data no budget is met. It is violated if the value exceeds the limit
// whatever the missing values are.
func TestThresholdMissingData(t *testing.T) {
	outcome := func(o string) func(*results.Trial) bool {
		return func(t *results.Trial) bool { t.Outcome = o; return true }
	}
	for _, test := range []struct {
		rule, why string
		decision  verdict.Word
		change    func(*results.Trial) bool
	}{
		{"ten.item.p99 < 1s", "not run", verdict.Undecided, func(*results.Trial) bool { return false }},
		{"ten.item.p99 < 1ms", "not run", verdict.Violated, func(*results.Trial) bool { return false }},
		{"ten.item.p50 < 50ms", "not run", verdict.Violated, func(*results.Trial) bool { return false }},
		{"ten.item.mean < 90ms", "not run", verdict.Undecided, func(*results.Trial) bool { return false }},
		{"ten.item.max < 1ms", "not run", verdict.Violated, func(*results.Trial) bool { return false }},
		{"ten.item.max > 1ms", "not run", verdict.Undecided, func(*results.Trial) bool { return false }},
		{"ten.item.p99 < 1s", "no histogram", verdict.Undecided, func(t *results.Trial) bool { t.Stages = nil; return true }},
		{"ten.item.p99 < 1s", "crashed", verdict.Undecided, outcome(results.OutcomeCrashed)},
		{"ten.item.p99 < 1s", "timeout", verdict.Undecided, outcome(results.OutcomeTimeout)},
		{"ten.makespan < 9s", "invalid", verdict.Undecided, outcome(results.OutcomeInvalid)},
		{"ten.makespan < 9s", "no item was completed", verdict.Undecided, func(t *results.Trial) bool { t.ItemsDone = new(0); return true }},
		{"ten.efficiency > 1%", "not measured", verdict.Undecided, func(t *results.Trial) bool { t.Ideal = 0; return true }},
		{"ten.cpu < 9s", "not measured", verdict.Undecided, func(t *results.Trial) bool { t.Resources = results.Resources{}; return true }},
		{"ten.rss.peak < 1GiB", "not measured", verdict.Undecided, func(t *results.Trial) bool { t.Resources = results.Resources{}; return true }},
		{"ten.fd.peak <= 99", "descriptors not sampled", verdict.Undecided, func(t *results.Trial) bool { t.Descriptors.Samples = 0; return true }},
		{"ten.fd.peak <= 99", "crashed", verdict.Undecided, outcome(results.OutcomeCrashed)},
		{"ten.fd.peak <= 20", "crashed", verdict.Violated, func(t *results.Trial) bool { t.Outcome, t.Descriptors.Peak = results.OutcomeCrashed, 30; return true }},
		{"ten.fd.peak < 30", "crashed", verdict.Violated, func(t *results.Trial) bool { t.Outcome, t.Descriptors.Peak = results.OutcomeCrashed, 30; return true }},
		{"ten.fd.leaked == 0", "not checked", verdict.Undecided, func(t *results.Trial) bool { t.Descriptors.Leaked = nil; return true }},
		{"ten.errors.total == 0", "errors not reported", verdict.Undecided, func(t *results.Trial) bool { t.ItemsDone, t.Errors = nil, nil; return true }},
		{"ten.errors.total == 0", "crashed", verdict.Violated, func(t *results.Trial) bool {
			t.Outcome, t.Errors = results.OutcomeCrashed, []results.ErrorCount{{Type: "emfile", Count: 1}}
			return true
		}},
		{"ten.errors.total == 5", "crashed", verdict.Undecided, outcome(results.OutcomeCrashed)},
		{"ten.documents.lost == 0", "not checked", verdict.Undecided, func(t *results.Trial) bool { t.Documents = nil; return true }},
		{"ten.documents.lost == 0", "crashed", verdict.Undecided, func(t *results.Trial) bool { t.Outcome, t.Documents.Lost = results.OutcomeCrashed, 3; return true }},
		{"ten.documents.duplicate == 0", "crashed", verdict.Violated, func(t *results.Trial) bool {
			t.Outcome, t.Documents.Duplicate = results.OutcomeCrashed, 3
			return true
		}},
		{"ten.documents.lost == 0", "items failed", verdict.Undecided, func(t *results.Trial) bool { t.Documents.Unwritten = 1; return true }},
		{"ten.documents.lost == 0", "no documents expected", verdict.Undecided, func(t *results.Trial) bool { t.Documents = new(results.Documents); return true }},
		{"ten.documents.corrupt == 0", "not read", verdict.Undecided, func(t *results.Trial) bool { t.Documents.Unchecked = true; return true }},
		{"reduction(ten, one) >= 10%", "ten crashed", verdict.Undecided, outcome(results.OutcomeCrashed)},
	} {
		t.Run(test.rule+" "+test.why, func(t *testing.T) {
			v := budgeted(t, func(trial *results.Trial) bool {
				known(trial)
				return trial.Variant != "ten" || trial.Block > 1 || test.change(trial)
			}, scenarios.Threshold{Rule: test.rule})
			e := wantBudget(t, v, test.decision).Evidence[0]
			missing := fmt.Sprint(e.Missing)
			if !strings.Contains(missing, test.why) || !strings.Contains(missing, "2}") {
				t.Errorf("missing %s, want 2 × %q", missing, test.why)
			}
		})
	}
}

// A threshold that only warns is judged like others, but never changes the exit code.
func TestThresholdExit(t *testing.T) {
	kept, broken, open := "ten.fd.peak <= 99", "ten.fd.peak <= 1", "ten.handoff.p99 < 1s"
	for _, test := range []struct {
		rules []string // those that only warn start with "~"
		want  int
	}{
		{[]string{kept}, verdict.ExitPassed}, {[]string{broken}, verdict.ExitFailed}, {[]string{open}, verdict.ExitInconclusive},
		{[]string{kept, open, broken}, verdict.ExitFailed}, {[]string{kept, open}, verdict.ExitInconclusive},
		{[]string{"~" + broken}, verdict.ExitPassed}, {[]string{"~" + open}, verdict.ExitPassed}, {[]string{"~" + broken, open}, verdict.ExitInconclusive},
	} {
		var all []scenarios.Threshold
		for _, rule := range test.rules {
			one := scenarios.Threshold{Rule: strings.TrimPrefix(rule, "~"), Severity: "fail"}
			if one.Rule != rule {
				one.Severity = "warn"
			}
			all = append(all, one)
		}
		v := budgeted(t, known, all...)
		if v.Exit != test.want {
			t.Errorf("%q: exit code %d, want %d", test.rules, v.Exit, test.want)
		}
		for i, rule := range test.rules {
			want := map[string]verdict.Word{kept: verdict.Met, broken: verdict.Violated, open: verdict.Undecided}[strings.TrimPrefix(rule, "~")]
			if got := v.Thresholds[i].Decision; got != want {
				t.Errorf("%s: %s, want %s", rule, got, want)
			}
		}
	}
}

func TestThresholdUnreadable(t *testing.T) {
	run := runtest.New(runtest.Options{Bare: true, Variants: pair()})
	if _, err := claims.Judge(runtest.Budgeted(run, scenarios.Threshold{Rule: "ten.fds < 1"})); err == nil || !strings.Contains(err.Error(), `threshold "ten.fds < 1"`) {
		t.Errorf("got %v", err)
	}
}
