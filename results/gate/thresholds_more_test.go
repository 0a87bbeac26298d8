package gate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/internal/runtest"
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
		decision  string
	}{
		{"reduction(ten, one) >= 60%", 0, 0.30, 0.31, gate.Kept},
		{"reduction(ten, one) > 60%", 0, 0.30, 0.31, gate.Kept},
		{"reduction(ten, one) >= 60%", 0, 0.38, 0.42, gate.Inconclusive},
		{"reduction(ten, one) >= 60%", 0, 0.41, 0.42, gate.Broken},
		{"reduction(ten, one) >= 60%", 0.05, 0.41, 0.42, gate.Kept}, // 57 %
		{"reduction(ten, one) >= 60%", 0.05, 0.42, 0.44, gate.Inconclusive},
		{"reduction(ten, one) >= 60%", 0.05, 0.44, 0.45, gate.Broken},
		{"reduction(ten, one) <= 60%", 0, 0.41, 0.42, gate.Kept},
		{"reduction(ten, one) < 60%", 0, 0.30, 0.31, gate.Broken},
		{"reduction(ten, one) < 60%", 0.1, 0.35, 0.36, gate.Kept}, // 66 %
		{"reduction(ten, one) >= -10%", 0, 1.01, 1.05, gate.Kept},
		{"reduction(ten, one) >= -10%", 0, 1.15, 1.20, gate.Broken},
		{"reduction(ten, one) >= -10%", 0.5, 1.12, 1.14, gate.Kept}, // -15 %
	} {
		v := budgeted(t, spread(test.low, test.high), scenarios.Threshold{Rule: test.rule, Margin: test.margin})
		e := wantBudget(t, v, test.decision).Evidence[0]
		if e.Low == nil || e.High == nil || e.N != 6 || e.Kind != gate.KindReduction {
			t.Errorf("%s: %+v", test.rule, e)
		}
		if within := slices.Contains(e.Notes, "kept by its margin alone"); within != (test.margin > 0 && test.decision == gate.Kept) {
			t.Errorf("%s, margin %s: notes %q", test.rule, test.margin, e.Notes)
		}
	}
}

// Pairs that drift decide neither a claim nor a threshold.
func TestThresholdOfDriftingPairs(t *testing.T) {
	drift := ratios(func(_, block int) float64 { return 0.30 + 0.015*float64(block) })
	e := wantBudget(t, budgeted(t, drift, scenarios.Threshold{Rule: "reduction(ten, one) >= 60%"}), gate.Inconclusive).Evidence[0]
	if notes := strings.Join(e.Notes, "\n"); !strings.Contains(notes, "too noisy to decide") {
		t.Errorf("notes %q", notes)
	}
}

func TestThresholdMargin(t *testing.T) {
	for margin, decision := range map[scenarios.Percent]string{0: gate.Broken, 0.02: gate.Broken, 0.05: gate.Kept} {
		e := wantBudget(t, budgeted(t, known, scenarios.Threshold{Rule: "ten.fd.peak <= 24", Margin: margin}), decision).Evidence[0]
		if *e.Limit != 24 || *e.Value != 25 || len(e.Notes) != map[string]int{gate.Kept: 1}[decision] {
			t.Errorf("margin %s: %+v", margin, e)
		}
	}
}

func TestThresholdLevels(t *testing.T) {
	run := func(where map[string]any) *gate.Verdict {
		run := runtest.New(runtest.Options{Bare: true, Blocks: 6, Variants: pair(), Change: func(t *results.Trial) bool {
			t.Descriptors.Peak, t.Descriptors.Inside = t.Items, nil
			return true
		}})
		v, err := gate.Judge(runtest.Budgeted(run, scenarios.Threshold{Rule: "ten.fd.peak <= 60", Where: where}))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if got := wantBudget(t, run(nil), gate.Broken); len(got.Evidence) != 3 || got.Evidence[0].Decision != gate.Kept || got.Evidence[2].Decision != gate.Broken {
		t.Errorf("%+v", got.Evidence)
	}
	if got := wantBudget(t, run(map[string]any{"items": 50}), gate.Kept); len(got.Evidence) != 1 || got.Evidence[0].Level != "items=50" {
		t.Errorf("%+v", got.Evidence)
	}
	if got := wantBudget(t, run(map[string]any{"items": 70}), gate.Inconclusive); len(got.Notes) != 1 {
		t.Errorf("%+v", got)
	}
}

// An invalid trial's documents are what they are, and items that failed bear on
// no other count of documents.
func TestThresholdDocumentsOfInvalidTrials(t *testing.T) {
	for _, rule := range []string{"ten.documents.lost == 0", "ten.documents.duplicate == 0"} {
		wantBudget(t, budgeted(t, func(trial *results.Trial) bool {
			trial.Outcome = results.OutcomeInvalid
			return true
		}, scenarios.Threshold{Rule: rule}), gate.Kept)
	}
	wantBudget(t, budgeted(t, func(trial *results.Trial) bool { trial.Documents.Unwritten = 1; return true },
		scenarios.Threshold{Rule: "ten.documents.duplicate == 0"}), gate.Kept)
}

// What an invalid trial shows beyond a limit may be the machine's making: it
// breaks no budget of descriptors, memory or errors, and leaves none open that
// it keeps.
func TestThresholdOfInvalidTrials(t *testing.T) {
	for _, test := range []struct {
		rule    string
		invalid func(*results.Trial)
	}{
		{"ten.fd.peak <= 40", func(t *results.Trial) { t.Descriptors.Peak = 50 }},
		{"ten.fd.left == 0", func(t *results.Trial) { t.Descriptors.Left = new(1) }},
		{"ten.rss.peak < 40MiB", func(t *results.Trial) { t.Resources.PeakRSS = 50 << 20 }},
		{"ten.errors.timeout <= 3", func(t *results.Trial) { t.Errors = []results.ErrorCount{{Type: "timeout", Count: 4}} }},
	} {
		for decision, change := range map[string]func(*results.Trial){
			gate.Kept: func(t *results.Trial) {
				if t.Block == 0 {
					t.Outcome = results.OutcomeInvalid
				}
			},
			gate.Inconclusive: func(t *results.Trial) {
				if t.Block == 0 {
					t.Outcome = results.OutcomeInvalid
					test.invalid(t)
				}
			},
			gate.Broken: func(t *results.Trial) {
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
			if noted := slices.Contains(e.Notes, "without the invalid trials it would be kept"); noted != (decision == gate.Inconclusive) {
				t.Errorf("%s, %s: notes %q", test.rule, decision, e.Notes)
			}
		}
	}
}

// Times of less work are said to be.
func TestThresholdOfLessWork(t *testing.T) {
	v := budgeted(t, func(trial *results.Trial) bool {
		known(trial)
		if trial.Block == 0 {
			trial.ItemsFailed = new(2)
		}
		return true
	}, scenarios.Threshold{Rule: "ten.makespan < 9s"})
	e := wantBudget(t, v, gate.Kept).Evidence[0]
	if len(e.Notes) != 1 || !strings.Contains(e.Notes[0], "items failed in 1 of 6 trials") {
		t.Errorf("%q", e.Notes)
	}
}

// served makes a trial of a service whose figures are known.
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
		rules  map[string]string
	}{
		"all": {part(func(*results.Trial) {}), map[string]string{
			"shared-10.response.p50 < 600ms": gate.Kept,
			"shared-10.response.p99 < 450ms": gate.Broken,
			"shared-10.accepted.p99 < 350ms": gate.Kept,
			"shared-10.accepted.p99 < 250ms": gate.Broken,
			"shared-10.service.p99 < 450ms":  gate.Kept,
			"shared-10.service.p99 < 350ms":  gate.Broken,
			"shared-10.done >= 98%":          gate.Kept,
			"shared-10.done >= 99%":          gate.Broken,
			"shared-10.shed <= 12":           gate.Kept,
			"shared-10.shed <= 11":           gate.Broken,
			"shared-10.fd.peak <= 26":        gate.Kept,
			"shared-10.fd.peak <= 25":        gate.Broken,
			"shared-10.item.p99 < 1s":        gate.Inconclusive,
			"shared-10.errors.total == 0":    gate.Kept,
			"forgotten.errors.emfile == 0":   gate.Broken,
		}},
		"stalled": {part(func(t *results.Trial) { t.Outcome = results.OutcomeStalled }), map[string]string{
			"shared-10.response.p95 < 600ms": gate.Kept,
			"shared-10.documents.lost == 0":  gate.Kept,
		}},
		"invalid": {part(func(t *results.Trial) { t.Outcome = results.OutcomeInvalid }), map[string]string{
			"shared-10.response.max < 600ms": gate.Inconclusive,
			"shared-10.response.max < 400ms": gate.Broken,
			"shared-10.response.p99 < 400ms": gate.Broken, // also with two trials at their best
			"shared-10.fd.peak <= 26":        gate.Kept,
		}},
		"dropped": {part(func(t *results.Trial) { t.Service.Dropped, t.Service.Due = 50, 150 }), map[string]string{
			"shared-10.response.p99 < 600ms": gate.Inconclusive,
			"shared-10.accepted.p99 < 350ms": gate.Kept,
			"shared-10.done >= 90%":          gate.Broken,
		}},
		"late": {part(func(t *results.Trial) { t.Service.Late = 1 }), map[string]string{
			"shared-10.response.p99 < 450ms": gate.Inconclusive,
			"shared-10.response.p99 < 350ms": gate.Broken,
			"shared-10.response.p99 < 600ms": gate.Kept,
			"shared-10.response.p99 > 450ms": gate.Kept,
		}},
		"none": {part(func(t *results.Trial) { t.Service.Due, t.Service.OK = 0, 0 }), map[string]string{
			"shared-10.done >= 50%": gate.Inconclusive,
		}},
		"broken": {part(func(t *results.Trial) { t.Service = nil; t.Outcome = results.OutcomeCrashed }), map[string]string{
			"shared-10.done >= 99%": gate.Broken, // also if the two were done
			"shared-10.done >= 50%": gate.Inconclusive,
			"shared-10.shed <= 12":  gate.Inconclusive,
		}},
	} {
		var thresholds []scenarios.Threshold
		for rule := range test.rules {
			thresholds = append(thresholds, scenarios.Threshold{Rule: rule, Where: map[string]any{"service.arrivals.rate": 8}})
		}
		v, err := gate.Judge(runtest.Budgeted(runtest.Service(nil, test.change), thresholds...))
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
