package report_test

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/capacity/whatif"
	"floodgate/results/internal/runtest"
	"floodgate/results/noise"
	"floodgate/results/report"
	"floodgate/results/report/text"
)

// sweep is a plan of limits of a made-up system whose writes get slower.
func sweep(t *testing.T, limits []int, nofile int, p99 time.Duration, change func(*results.Trial)) *capacity.Limits {
	t.Helper()
	l := &capacity.Limits{
		Kind: capacity.KindLimits, ID: "20261122-214015.123-7f3a9c", Started: time.Date(2026, 11, 22, 21, 40, 15, 0, time.UTC),
		Scenario: "report", Title: "A report over N phone numbers", Seed: 2017, Level: "database.latency=5ms", Strategy: "bounded", MaxLimit: 507, Capped: true,
		Terms: capacity.NewTerms(p99, nofile, 2), Records: "results/plans/20261122-214015.123-7f3a9c/run.jsonl", Command: []string{"plan", "limit", "my report.yaml", "--quick", "--env", "embedded"},
		Environment: results.Environment{Kind: "embedded", Database: "FerretDB 1.24.2 (SQLite)", Upstream: "mock upstream"},
		Machine:     results.Fingerprint{CPU: "AMD EPYC", Cores: 2, Memory: 8 << 30},
	}
	law, rng, index := capacity.USL{Gamma: 40, Alpha: 0.02, Beta: 2e-4}, rand.New(rand.NewPCG(1, 2)), 0
	for _, n := range limits {
		var trials []results.Trial
		for block := range 6 {
			x := law.At(float64(n)) * (1 + 0.06*(rng.Float64()-0.5))
			item := time.Duration(float64(n) / x * 1e9)
			trial := results.Trial{
				Index: index, Block: block, Variant: "bounded-" + strconv.Itoa(n), Items: 400, Outcome: results.OutcomeOK,
				Makespan: time.Duration(450 / x * 1e9), ItemsDone: new(400), ItemsFailed: new(0), Documents: &results.Documents{},
				Stages: map[string]results.Histogram{
					"queue": runtest.Constant(time.Duration(float64(400-n)/x*1e9), 400), "item": runtest.Constant(item, 400),
					"fetch": runtest.Constant(22*time.Millisecond, 400), "write": runtest.Constant(max(time.Millisecond, item-22*time.Millisecond), 400),
				},
				Descriptors: results.Descriptors{Baseline: 8, Samples: 100, Peak: 10 + 2*n, Inside: &results.Kinds{Upstream: n, Mongo: n + 2}},
				Resources:   results.Resources{UserCPU: time.Second / 4},
			}
			if change != nil {
				change(&trial)
			}
			trials, index = append(trials, trial), index+1
		}
		p, err := capacity.NewLimitPoint(n, l.Strategy, trials)
		if err != nil {
			t.Fatal(err)
		}
		l.Points = append(l.Points, p)
	}
	return l
}

// plans of each end that a sweep may have.
func plans(t *testing.T) map[string]*capacity.Limits {
	passed := sweep(t, []int{1, 2, 4, 8, 16, 32, 45, 64, 91, 128, 256}, 1024, 0, func(trial *results.Trial) {
		switch {
		case trial.Variant == "bounded-128" && trial.Block == 2:
			trial.Outcome, trial.Reason = results.OutcomeInvalid, "the mock upstream was too slow: half the time a goroutine waited 3ms or more for a CPU (bound: 2ms)"
		case trial.Variant == "bounded-256":
			trial.ItemsDone, trial.ItemsFailed = new(380), new(20)
			trial.Errors = []results.ErrorCount{{Type: "timeout", Side: "mongo", Count: 20}}
		}
	})
	passed.Adaptive = &capacity.Adaptive{Runs: []capacity.AdaptiveRun{{Trial: 70, Last: 40, Settled: 38, Throughput: 702}, {Trial: 71, Last: 51, Settled: 52, Throughput: 730}}}
	rising := sweep(t, []int{1, 2, 4, 8}, 1024, 0, nil)
	short := sweep(t, []int{1, 2, 4, 8, 16, 32, 64}, 100, 0, nil)
	late := sweep(t, []int{1, 2, 4, 8, 16, 32, 64}, 1024, time.Millisecond, nil)
	cut := sweep(t, []int{1, 2, 4}, 1024, 0, func(trial *results.Trial) {
		if trial.Block > 2 {
			trial.Outcome, trial.Reason = results.OutcomeFailed, "the database died"
		}
	})
	cut.Interrupted = true
	none := sweep(t, nil, 1024, 0, nil)
	none.Unmeasured = "5 trials in a row could not be measured, the last because: the database died"
	all := map[string]*capacity.Limits{"passed": passed, "rising": rising, "descriptors": short, "late": late, "cut": cut, "none": none}
	for _, l := range all {
		l.Conclude()
	}
	passed.Simulation = &capacity.Simulation{
		Validated: &whatif.Validation{InSample: &whatif.Errors{Makespan: -0.018, P99: 0.033}, LeftOut: &whatif.Errors{Makespan: 0.101, P99: -0.068}, Extrapolated: &whatif.Errors{Makespan: -0.088, P99: -0.237}},
		Range:     &whatif.Range{LeastLimit: 1, MostLimit: 64, LeastItems: 400, MostItems: 400, Strategies: []string{"bounded"}},
	}
	passed.Noise = []noise.Finding{{Kind: noise.KindLoad, Severity: noise.Note, Says: "other programs used 76 % of the cores' time in 66 trials", Helps: "end what else runs"}}
	rising.Simulation = &capacity.Simulation{Why: "no trial has times of its stages"}
	return all
}

func TestLimits(t *testing.T) {
	for name, plan := range plans(t) {
		for _, width := range []int{80, 120} {
			var out bytes.Buffer
			if err := report.Limits(&out, plan, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			for l := range strings.Lines(out.String()) {
				if n := len([]rune(strings.TrimRight(l, "\n"))); n > width {
					t.Errorf("%s: %d columns of %d: %s", name, n, width, l)
				}
			}
			if width == 80 || name == "passed" {
				golden(t, "limits-"+name+"."+strconv.Itoa(width)+".txt", out.Bytes())
			}
		}
	}
}

// Whoever reads the JSON has the whole plan, and prints the same.
func TestLimitsJSON(t *testing.T) {
	for name, plan := range plans(t) {
		var out, first, again bytes.Buffer
		if err := report.LimitsJSON(&out, plan); err != nil {
			t.Fatal(err)
		}
		back, err := capacity.ReadLimits(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plan, back); diff != "" {
			t.Error(name, diff)
		}
		_, _ = report.Limits(&first, plan, text.Options{}), report.Limits(&again, back, text.Options{})
		if first.String() != again.String() {
			t.Errorf("%s: printed again:\n%s", name, &again)
		}
	}
}

// Whatever is read as a plan can be printed, in as many columns as there are.
func FuzzLimits(f *testing.F) {
	for _, words := range []string{
		`{"kind": "limits"}`, `{"kind": "rates"}`, `{"kind": "limits", "adaptive": {}}`,
		`{"kind": "limits", "points": [{"limit": 1}], "recommendation": {"peak_limit": 1}}`,
		`{"kind": "limits", "points": [{"limit": 1, "throughput": {"estimate": 3}, "p99_ns": {"estimate": 5}}], "recommendation": {"peak_limit": 1, "limit": 1, "config": {}, "waiting": [{}]}}`,
		`{"kind": "limits", "points": [{"limit": 1, "throughput": {"estimate": -3e300}, "p99_ns": {}}], "model": {"peak": {}}, "recommendation": {"peak_limit": 1, "limit": 2}}`,
	} {
		f.Add([]byte(words))
	}
	f.Fuzz(func(t *testing.T, words []byte) {
		plan, err := capacity.ReadLimits(words)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := report.Limits(&out, plan, text.Options{Width: 80}); err != nil || !strings.Contains(out.String(), "exit code") {
			t.Errorf("%v\n%s", err, &out)
		}
		if err := report.LimitsJSON(&out, plan); err != nil {
			t.Error(err)
		}
	})
}
