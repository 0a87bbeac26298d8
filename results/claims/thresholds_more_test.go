package claims_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

func TestThresholdReduction(t *testing.T) {
	spread := func(low, high float64) func(*results.Trial) bool {
		order := []float64{2, 5, 0, 3, 1, 4} // no drift
		return ratios(func(_, block int) float64 { return low + (high-low)*order[block]/5 })
	}
	for _, test := range []struct {
		rule      string
		margin    scenarios.Percent
		low, high float64 // ratios of the times
		decision  verdict.Word
	}{
		{"reduction(ten, one) >= 60%", 0, 0.30, 0.31, verdict.Met},
		{"reduction(ten, one) > 60%", 0, 0.30, 0.31, verdict.Met},
		{"reduction(ten, one) >= 60%", 0, 0.38, 0.42, verdict.Undecided},
		{"reduction(ten, one) >= 60%", 0, 0.41, 0.42, verdict.Violated},
		{"reduction(ten, one) >= 60%", 0.05, 0.41, 0.42, verdict.Met}, // 57 %
		{"reduction(ten, one) >= 60%", 0.05, 0.42, 0.44, verdict.Undecided},
		{"reduction(ten, one) >= 60%", 0.05, 0.44, 0.45, verdict.Violated},
		{"reduction(ten, one) <= 60%", 0, 0.41, 0.42, verdict.Met},
		{"reduction(ten, one) < 60%", 0, 0.30, 0.31, verdict.Violated},
		{"reduction(ten, one) < 60%", 0.1, 0.35, 0.36, verdict.Met}, // 66 %
		{"reduction(ten, one) >= -10%", 0, 1.01, 1.05, verdict.Met},
		{"reduction(ten, one) >= -10%", 0, 1.15, 1.20, verdict.Violated},
		{"reduction(ten, one) >= -10%", 0.5, 1.12, 1.14, verdict.Met}, // -15 %
	} {
		v := budgeted(t, spread(test.low, test.high), scenarios.Threshold{Rule: test.rule, Margin: test.margin})
		e := wantBudget(t, v, test.decision).Evidence[0]
		if e.Low == nil || e.High == nil || e.N != 6 || e.Kind != claims.KindReduction {
			t.Errorf("%s: %+v", test.rule, e)
		}
		if within := slices.Contains(e.Notes, "met only by its margin"); within != (test.margin > 0 && test.decision == verdict.Met) {
			t.Errorf("%s, margin %s: notes %q", test.rule, test.margin, e.Notes)
		}
	}
}

// Drifting pairs decide neither a claim nor a threshold.
func TestThresholdOfDriftingPairs(t *testing.T) {
	drift := ratios(func(_, block int) float64 { return 0.30 + 0.015*float64(block) })
	e := wantBudget(t, budgeted(t, drift, scenarios.Threshold{Rule: "reduction(ten, one) >= 60%"}), verdict.Undecided).Evidence[0]
	if notes := strings.Join(e.Notes, "\n"); !strings.Contains(notes, "too noisy to decide") {
		t.Errorf("notes %q", notes)
	}
}

func TestThresholdMargin(t *testing.T) {
	for margin, decision := range map[scenarios.Percent]verdict.Word{0: verdict.Violated, 0.02: verdict.Violated, 0.05: verdict.Met} {
		e := wantBudget(t, budgeted(t, known, scenarios.Threshold{Rule: "ten.fd.peak <= 24", Margin: margin}), decision).Evidence[0]
		if *e.Limit != 24 || *e.Value != 25 || len(e.Notes) != map[verdict.Word]int{verdict.Met: 1}[decision] {
			t.Errorf("margin %s: %+v", margin, e)
		}
	}
}

func TestThresholdLevels(t *testing.T) {
	run := func(where map[string]any) *claims.Outcome {
		run := runtest.New(runtest.Options{Bare: true, Blocks: 6, Variants: pair(), Change: func(t *results.Trial) bool {
			t.Descriptors.Peak, t.Descriptors.Inside = t.Items, nil
			return true
		}})
		v, err := claims.Judge(runtest.Budgeted(run, scenarios.Threshold{Rule: "ten.fd.peak <= 60", Where: where}))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if got := wantBudget(t, run(nil), verdict.Violated); len(got.Evidence) != 3 || got.Evidence[0].Decision != verdict.Met || got.Evidence[2].Decision != verdict.Violated {
		t.Errorf("%+v", got.Evidence)
	}
	if got := wantBudget(t, run(map[string]any{"items": 50}), verdict.Met); len(got.Evidence) != 1 || got.Evidence[0].Level != "items=50" {
		t.Errorf("%+v", got.Evidence)
	}
	if got := wantBudget(t, run(map[string]any{"items": 70}), verdict.Undecided); len(got.Notes) != 1 {
		t.Errorf("%+v", got)
	}
}

// The documents of an invalid trial count, and failed items affect only the count of
// unwritten documents.
func TestThresholdDocumentsOfInvalidTrials(t *testing.T) {
	for _, rule := range []string{"ten.documents.lost == 0", "ten.documents.duplicate == 0"} {
		wantBudget(t, budgeted(t, func(trial *results.Trial) bool {
			trial.Outcome = results.OutcomeInvalid
			return true
		}, scenarios.Threshold{Rule: rule}), verdict.Met)
	}
	wantBudget(t, budgeted(t, func(trial *results.Trial) bool { trial.Documents.Unwritten = 1; return true },
		scenarios.Threshold{Rule: "ten.documents.duplicate == 0"}), verdict.Met)
}

// An invalid trial that exceeds a limit may do so because of the machine: it does not
// violate a budget of descriptors, memory or errors; within the limit, it does not
// prevent a decision.
func TestThresholdOfInvalidTrials(t *testing.T) {
	for _, test := range []struct {
		rule    string
		invalid func(*results.Trial)
	}{
		{"ten.fd.peak <= 40", func(t *results.Trial) { t.Descriptors.Peak = 50 }},
		{"ten.fd.leaked == 0", func(t *results.Trial) { t.Descriptors.Leaked = new(1) }},
		{"ten.rss.peak < 40MiB", func(t *results.Trial) { t.Resources.PeakRSS = 50 << 20 }},
		{"ten.errors.timeout <= 3", func(t *results.Trial) { t.Errors = []results.ErrorCount{{Type: "timeout", Count: 4}} }},
	} {
		for decision, change := range map[verdict.Word]func(*results.Trial){
			verdict.Met: func(t *results.Trial) {
				if t.Block == 0 {
					t.Outcome = results.OutcomeInvalid
				}
			},
			verdict.Undecided: func(t *results.Trial) {
				if t.Block == 0 {
					t.Outcome = results.OutcomeInvalid
					test.invalid(t)
				}
			},
			verdict.Violated: func(t *results.Trial) {
				if t.Block == 0 {
					t.Outcome = results.OutcomeInvalid
				}
				test.invalid(t)
			},
		} {
			e := wantBudget(t, budgeted(t, func(trial *results.Trial) bool {
				known(trial)
				if trial.Variant == "ten" {
					change(trial)
				}
				return true
			}, scenarios.Threshold{Rule: test.rule}), decision).Evidence[0]
			if noted := slices.Contains(e.Notes, "it would be met without the invalid trials"); noted != (decision == verdict.Undecided) {
				t.Errorf("%s, %s: notes %q", test.rule, decision, e.Notes)
			}
		}
	}
}

// Times of less work are noted as such.
func TestThresholdOfLessWork(t *testing.T) {
	v := budgeted(t, func(trial *results.Trial) bool {
		known(trial)
		if trial.Block == 0 {
			trial.ItemsFailed = new(2)
		}
		return true
	}, scenarios.Threshold{Rule: "ten.makespan < 9s"})
	e := wantBudget(t, v, verdict.Met).Evidence[0]
	if len(e.Notes) != 1 || !strings.Contains(e.Notes[0], "items failed in 1 of 6 trials") {
		t.Errorf("%q", e.Notes)
	}
}

// served turns a trial into one of a service with known figures.
func served(t *results.Trial) bool {
	s := t.Service
	s.Due, s.Ended, s.OK, s.Late = 100, 100, 98, 0
	s.Response, s.Accepted, s.ServiceTime = runtest.Constant(500*time.Millisecond, 100), runtest.Constant(300*time.Millisecond, 98), runtest.Constant(400*time.Millisecond, 100)
	shed := s.Series.Columns[results.ColumnShed]
	for i := range shed {
		shed[i] = int64(2 * i / (len(shed) - 1))
	}
	return true
}

func TestThresholdOfService(t *testing.T) {
	part := func(change func(*results.Trial)) func(*results.Trial) bool {
		return func(t *results.Trial) bool {
			served(t)
			if t.Block < 2 {
				change(t)
			}
			return true
		}
	}
	for name, test := range map[string]struct {
		change func(*results.Trial) bool
		rules  map[string]verdict.Word
	}{
		"all": {part(func(*results.Trial) {}), map[string]verdict.Word{
			"shared-10.response.p50 < 600ms": verdict.Met,
			"shared-10.response.p99 < 450ms": verdict.Violated,
			"shared-10.accepted.p99 < 350ms": verdict.Met,
			"shared-10.accepted.p99 < 250ms": verdict.Violated,
			"shared-10.service.p99 < 450ms":  verdict.Met,
			"shared-10.service.p99 < 350ms":  verdict.Violated,
			"shared-10.done >= 98%":          verdict.Met,
			"shared-10.done >= 99%":          verdict.Violated,
			"shared-10.shed <= 12":           verdict.Met,
			"shared-10.shed <= 11":           verdict.Violated,
			"shared-10.fd.peak <= 26":        verdict.Met,
			"shared-10.fd.peak <= 25":        verdict.Violated,
			"shared-10.item.p99 < 1s":        verdict.Undecided,
			"shared-10.errors.total == 0":    verdict.Met,
			"forgotten.errors.emfile == 0":   verdict.Violated,
		}},
		"stalled": {part(func(t *results.Trial) { t.Outcome = results.OutcomeStalled }), map[string]verdict.Word{
			"shared-10.response.p95 < 600ms": verdict.Met,
			"shared-10.documents.lost == 0":  verdict.Met,
		}},
		"invalid": {part(func(t *results.Trial) { t.Outcome = results.OutcomeInvalid }), map[string]verdict.Word{
			"shared-10.response.max < 600ms": verdict.Undecided,
			"shared-10.response.max < 400ms": verdict.Violated,
			"shared-10.response.p99 < 400ms": verdict.Violated, // even if the two missing trials had the lowest values
			"shared-10.fd.peak <= 26":        verdict.Met,
		}},
		"dropped": {part(func(t *results.Trial) { t.Service.Dropped, t.Service.Due = 50, 150 }), map[string]verdict.Word{
			"shared-10.response.p99 < 600ms": verdict.Undecided,
			"shared-10.accepted.p99 < 350ms": verdict.Met,
			"shared-10.done >= 90%":          verdict.Violated,
		}},
		"late": {part(func(t *results.Trial) { t.Service.Late = 1 }), map[string]verdict.Word{
			"shared-10.response.p99 < 450ms": verdict.Undecided,
			"shared-10.response.p99 < 350ms": verdict.Violated,
			"shared-10.response.p99 < 600ms": verdict.Met,
			"shared-10.response.p99 > 450ms": verdict.Met,
		}},
		"none": {part(func(t *results.Trial) { t.Service.Due, t.Service.OK = 0, 0 }), map[string]verdict.Word{
			"shared-10.done >= 50%": verdict.Undecided,
		}},
		"hosts": {func(t *results.Trial) bool { // the series is that of one
			t.Hosts = []results.Host{{Service: &results.HostService{Shed: 3}}, {Index: 1, Service: &results.HostService{Shed: 2}}}
			return served(t)
		}, map[string]verdict.Word{
			"shared-10.shed <= 30": verdict.Met,
			"shared-10.shed <= 29": verdict.Violated,
		}},
		"broken": {part(func(t *results.Trial) { t.Service = nil; t.Outcome = results.OutcomeCrashed }), map[string]verdict.Word{
			"shared-10.done >= 99%": verdict.Violated, // even if the two were done
			"shared-10.done >= 50%": verdict.Undecided,
			"shared-10.shed <= 12":  verdict.Undecided,
		}},
	} {
		var thresholds []scenarios.Threshold
		for rule := range test.rules {
			thresholds = append(thresholds, scenarios.Threshold{Rule: rule, Where: map[string]any{"service.arrivals.rate": 8}})
		}
		v, err := claims.Judge(runtest.Budgeted(runtest.Service(nil, test.change), thresholds...))
		if err != nil {
			t.Fatal(err)
		}
		for _, judged := range v.Thresholds {
			if want := test.rules[judged.Rule]; judged.Decision != want {
				t.Errorf("%s: %s: %s, want %s; %+v", name, judged.Rule, judged.Decision, want, judged.Evidence)
			}
		}
	}
}
