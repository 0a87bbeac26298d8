package baseline_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/baseline"
	"floodgate/results/internal/runtest"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

var defaults = baseline.Options{Margin: baseline.DefaultMargin, ShareMargin: baseline.DefaultShareMargin}

func gated(t *testing.T, b *baseline.Baseline, run *results.Run, o baseline.Options) *baseline.Outcome {
	t.Helper()
	v, err := baseline.Gate("b.yaml", b, run, o)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, n := range v.Comparison.Counts {
		sum += n
	}
	if sum != len(v.Comparison.Rows) {
		t.Errorf("%d rows, %d counted", len(v.Comparison.Rows), sum)
	}
	return v
}

// decisions returns the decisions of a metric in the order of the cells, in words.
func decisions(c *baseline.Comparison, metric string) string {
	var all []string
	for _, r := range c.Rows {
		if r.Metric == metric {
			all = append(all, string(r.Decision))
		}
	}
	return strings.Join(all, " ")
}

func TestSameRunPasses(t *testing.T) {
	run := made(nil)
	v := gated(t, must(t, run), run, baseline.Options{}) // without any margin
	c := v.Comparison
	if v.Exit != 0 || c.Counts[verdict.Same] != len(c.Rows) || len(c.Rows) < 100 || !c.Paired || len(c.Machines) > 0 {
		t.Errorf("exit %d, %v of %d", v.Exit, c.Counts, len(c.Rows))
	}
}

// slower makes all trials of the variants take longer, or of all variants if none is
// named.
func slower(by float64, variants ...string) func(t *results.Trial) bool {
	return func(t *results.Trial) bool {
		if len(variants) == 0 || strings.Contains(strings.Join(variants, " ")+" ", t.Variant+" ") {
			t.Makespan = time.Duration(by * float64(t.Makespan))
		}
		return true
	}
}

// one changes a single trial of bounded-10 at 200 items.
func one(change func(t *results.Trial)) func(t *results.Trial) bool {
	return func(t *results.Trial) bool {
		if t.Variant == "bounded-10" && t.Items == 200 && t.Block == 3 {
			change(t)
		}
		return true
	}
}

// Every check can fail.
func TestEachCheckFails(t *testing.T) {
	b := must(t, made(nil))
	for name, c := range map[string]struct {
		change func(t *results.Trial) bool
		metric string
		want   string
		exit   int
	}{
		"descriptors": {one(func(t *results.Trial) { t.Descriptors.Peak += 20 }), baseline.MetricPeak, "same same same same same same same worse", 1},
		"left":        {one(func(t *results.Trial) { t.Descriptors.Leaked = new(1) }), baseline.MetricLeaked, "same same same same same same same worse", 1},
		"lost": {one(func(t *results.Trial) { t.Documents.Found--; t.Documents.Lost++ }), baseline.MetricLost,
			"same same same same same same same worse", 1},
		"duplicate": {one(func(t *results.Trial) { t.Documents.Duplicate++ }), baseline.MetricDuplicate, "same same same same same same same worse", 1},
		"foreign":   {one(func(t *results.Trial) { t.Documents.Foreign++ }), baseline.MetricCorrupt, "same same same same same same same worse", 1},
		"error": {one(func(t *results.Trial) {
			t.Errors = []results.ErrorCount{{Type: "timeout", Side: "mongo", Count: 1, Sample: "x"}}
		}), baseline.MetricErrors, "same same same same same same same worse", 1},
		"crash": {one(func(t *results.Trial) { t.Outcome, t.Reason, t.Makespan = results.OutcomeCrashed, "exit status 2", 0 }),
			baseline.MetricUnfinished, "same same same same same same same worse", 1},
		"efficiency":   {slower(1.3, "bounded-10"), baseline.MetricEfficiency, "same same same worse same same same worse", 1},
		"reduction":    {slower(1.3, "bounded-10"), baseline.MetricReduction, "same same worse same same worse", 1},
		"slow machine": {slower(1.3), baseline.MetricReduction, "same same same same same same", 1}, // by the efficiency
		"allocations": {func(t *results.Trial) bool { *t.Resources.Allocs *= 2; return true }, baseline.MetricAllocs,
			"worse worse worse worse worse worse worse worse", 1},
		"no allocations": {func(t *results.Trial) bool { t.Resources.Allocs = nil; return true }, baseline.MetricAllocs,
			strings.TrimSpace(strings.Repeat("missing ", 8)), 1},
		"unchecked":  {one(func(t *results.Trial) { t.Documents = nil }), baseline.MetricLost, "same same same same same same same inconclusive", 3},
		"not read":   {one(func(t *results.Trial) { t.Documents.Unchecked = true }), baseline.MetricCorrupt, "same same same same same same same missing", 1},
		"unsampled":  {func(t *results.Trial) bool { t.Descriptors = results.Descriptors{}; return true }, baseline.MetricPeak, strings.TrimSpace(strings.Repeat("missing ", 8)), 1},
		"unmeasured": {one(func(t *results.Trial) { t.Outcome, t.Reason, t.Makespan = results.OutcomeFailed, "x", 0 }), baseline.MetricPeak, "same same same same same same same same", 4},
		"too few": {func(t *results.Trial) bool { return t.Block < 4 }, baseline.MetricEfficiency,
			strings.TrimSpace(strings.Repeat("inconclusive ", 8)), 3},
		"within": {slower(1.2, "bounded-10"), baseline.MetricEfficiency, "same same same same same same same same", 0},
		"better": {slower(0.8, "bounded-10"), baseline.MetricEfficiency, "same same same better same same same better", 0},
	} {
		v := gated(t, b, made(c.change), defaults)
		if got := decisions(v.Comparison, c.metric); got != c.want || v.Exit != c.exit {
			t.Errorf("%s: %s: %s, want %s; exit %d, want %d", name, c.metric, got, c.want, v.Exit, c.exit)
		}
	}
}

// Cells whose turn an aborted run did not reach are not missing, but unknown.
func TestUnfinishedRunHasNoMissingCells(t *testing.T) {
	b := must(t, made(nil))
	for name, c := range map[string]struct {
		there func(t *results.Trial) bool
		exit  int
	}{
		"nothing":          {func(*results.Trial) bool { return false }, verdict.ExitNotMeasured}, // nothing was compared
		"all but the base": {func(t *results.Trial) bool { return t.Variant != "sequential" }, verdict.ExitInconclusive},
		"the base alone":   {func(t *results.Trial) bool { return t.Variant == "sequential" }, verdict.ExitInconclusive},
	} {
		v := gated(t, b, made(c.there), defaults)
		if v.Exit != c.exit || v.Comparison.Counts[verdict.Missing] > 0 || v.Comparison.Counts[verdict.Undecided] == 0 {
			t.Errorf("%s: exit %d, %v; want %d, nothing missing", name, v.Exit, v.Comparison.Counts, c.exit)
			for _, r := range v.Comparison.Rows {
				if r.Decision == verdict.Missing {
					t.Log(r.Metric, r.Where(), r.Why)
				}
			}
		}
	}
}

func TestMissingVariantAndLevel(t *testing.T) {
	b := must(t, made(nil))
	other := runtest.New(runtest.Options{
		Blocks: 8, Bare: true, Variants: append(runtest.Variants()[:3:3], runtest.Variants()[5]), Levels: []scenarios.LevelSet{{"items": []any{20, 200}}}, Claims: runtest.Claims()[3:],
		Change: func(t *results.Trial) bool { t.Resources.Allocs = new(uint64(300 * t.Items)); return true },
	})
	v := gated(t, b, other, defaults)
	c := v.Comparison
	if v.Exit != 1 || decisions(c, baseline.MetricCell) != "missing missing" || c.Paired {
		t.Errorf("exit %d, %q, paired %v", v.Exit, decisions(c, baseline.MetricCell), c.Paired)
	}
	if strings.Join(c.Added, "; ") != "unbounded at items=20; unbounded at items=200" || !strings.Contains(strings.Join(c.Differences, ""), "the scenario has changed") {
		t.Errorf("added %q, %q", c.Added, c.Differences)
	}
}

// Times only warn; with StrictTimes they decide, after Holm's correction. With 8 pairs p
// is at least 2/2^8, which suffices for 6 makespans, but not for 8.
func TestTimes(t *testing.T) {
	b := must(t, made(nil))
	run := made(slower(1.15))
	if v := gated(t, b, run, defaults); v.Exit != 0 || v.Comparison.Warned != 8 || v.Comparison.Primaries != 8 {
		t.Errorf("exit %d, %d warned, %d primaries", v.Exit, v.Comparison.Warned, v.Comparison.Primaries)
	}
	strict := defaults
	strict.StrictTimes = true
	v := gated(t, b, run, strict)
	if got := decisions(v.Comparison, baseline.MetricMakespan); got != strings.TrimSpace(strings.Repeat("inconclusive ", 8)) || v.Exit != 3 {
		t.Errorf("%s, exit %d", got, v.Exit)
	}
	for _, r := range v.Comparison.Rows {
		if r.Metric == baseline.MetricMakespan && !strings.Contains(r.Why, "not after Holm's correction over 8 makespans, which needs at least 9 blocks (got 8)") {
			t.Errorf("why: %s", r.Why)
		}
	}
	three := func(change func(t *results.Trial) bool) *results.Run {
		return runtest.New(runtest.Options{Blocks: 8, Bare: true, Variants: runtest.Variants()[:3], Levels: []scenarios.LevelSet{{"items": []any{20, 200}}}, Change: change})
	}
	v = gated(t, must(t, three(nil)), three(slower(1.15)), strict)
	if got := decisions(v.Comparison, baseline.MetricMakespan); got != "worse worse worse worse worse worse" || v.Exit != 1 {
		t.Errorf("over six: %s, exit %d", got, v.Exit)
	}
	// The smallest p-value must suffice for all six.
	v = gated(t, must(t, three(nil)), three(slower(1.15, "joined-10")), strict)
	if got := decisions(v.Comparison, baseline.MetricMakespan); got != "same worse same same worse same" || v.Exit != 1 {
		t.Errorf("two of six: %s, exit %d", got, v.Exit)
	}
}

// On another machine, metrics that depend on it are only listed, and the others are
// judged.
func TestOtherMachine(t *testing.T) {
	b := must(t, made(nil))
	for name, change := range map[string]func(r *results.Run){
		"CPU AMD EPYC":  func(r *results.Run) { r.Header.Fingerprint.CPU = "other" },
		"cores 2 and 8": func(r *results.Run) { r.Header.Fingerprint.Cores = 8 },
		"processors not recorded and GOMAXPROCS 2, CPU quota 0.5 cores": func(r *results.Run) {
			r.Header.Fingerprint.GOMAXPROCS, r.Header.Fingerprint.CPUQuota = 2, 0.5
		},
		"architecture amd64 and arm64": func(r *results.Run) { r.Header.Fingerprint.Arch = "arm64" },
		"environment embedded":         func(r *results.Run) { r.Header.Environment.Kind = "containers" },
		"database FerretDB":            func(r *results.Run) { r.Header.Environment.Database = "MongoDB 8" },
		"in a process and container": func(r *results.Run) {
			r.Trials[0].Container = &results.Container{Name: "sut"}
		},
	} {
		run := made(slower(3))
		change(run)
		v := gated(t, b, run, baseline.Options{Margin: 0.1, ShareMargin: 5, StrictTimes: true})
		c := v.Comparison
		if v.Exit != 0 || !strings.Contains(strings.Join(c.Machines, "; "), name) || decisions(c, baseline.MetricMakespan) != strings.TrimSpace(strings.Repeat("not comparable ", 8)) {
			t.Errorf("%s: exit %d, %q, %s", name, v.Exit, c.Machines, decisions(c, baseline.MetricMakespan))
		}
		for _, r := range c.Rows {
			if r.Decision == verdict.NotComparable && (r.Why == "" || r.Baseline == nil || r.Run == nil) {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if v := gated(t, b, run, defaults); v.Exit != 1 || !strings.Contains(decisions(v.Comparison, baseline.MetricEfficiency), "worse") {
			t.Errorf("%s: exit %d with the default margins", name, v.Exit)
		}
	}
	unknown := made(nil)
	unknown.Header.Fingerprint.CPU = "unknown"
	if v := gated(t, must(t, unknown), unknown, defaults); len(v.Comparison.Machines) != 1 {
		t.Errorf("unknown CPUs are the same: %q", v.Comparison.Machines)
	}
	kernel := made(nil)
	kernel.Header.Fingerprint.Kernel = "7.0"
	if v := gated(t, b, kernel, defaults); len(v.Comparison.Machines) != 0 || len(v.Comparison.Differences) != 2 {
		t.Errorf("%q, %q", v.Comparison.Machines, v.Comparison.Differences)
	}
}

// A comparison of nothing never passes.
func TestNothingComparable(t *testing.T) {
	bare := func(r *results.Run) *results.Run {
		for i := range r.Trials {
			r.Trials[i].Ideal, r.Trials[i].Resources.Allocs, r.Trials[i].Documents = 0, nil, nil
			r.Trials[i].Descriptors = results.Descriptors{}
		}
		return r
	}
	b, err := baseline.FromRun(func() *results.Run {
		r := bare(made(nil))
		r.Header.SetScenario(withoutClaims(t, r))
		return r
	}())
	if err != nil {
		t.Fatal(err)
	}
	b.Cells = b.Cells[:1] // only the cell of the reference
	run := bare(made(func(t *results.Trial) bool { return t.Variant != "sequential" || t.Items != 20 }))
	run.Header.Fingerprint.Cores = 64
	c, err := baseline.Compare("b.yaml", b, run, defaults)
	if err != nil || c.Exit != verdict.ExitNotMeasured || c.Counts[verdict.Same] > 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := baseline.Compare("b.yaml", &baseline.Baseline{Scenario: "report"}, run, defaults); err != nil || c.Exit != verdict.ExitNotMeasured {
		t.Errorf("an empty baseline: %+v, %v", c, err)
	}
}

// Errors in the baseline may increase by a tenth, rounded down.
func TestErrorsOfTheBaseline(t *testing.T) {
	with := func(n int) *results.Run {
		run := made(one(func(t *results.Trial) {
			if n > 0 {
				t.Errors = []results.ErrorCount{{Type: "http_5xx", Side: "upstream", Count: n, Sample: "x"}}
			}
		}))
		return run
	}
	for _, c := range []struct{ had, has, exit int }{{0, 1, 1}, {9, 9, 0}, {9, 10, 1}, {10, 11, 0}, {10, 12, 1}, {10, 0, 0}} {
		if v := gated(t, must(t, with(c.had)), with(c.has), defaults); v.Exit != c.exit {
			t.Errorf("%d → %d: exit %d, want %d", c.had, c.has, v.Exit, c.exit)
		}
	}
}

func TestOtherScenario(t *testing.T) {
	b := must(t, made(nil))
	run := made(nil)
	run.Header.ScenarioName = "other"
	quick := made(nil)
	quick.Header.Quick = true
	mismatch := new(baseline.MismatchError)
	if _, err := baseline.Compare("b.yaml", b, run, defaults); !errors.As(err, &mismatch) {
		t.Error(err)
	}
	if _, err := baseline.Gate("b.yaml", b, quick, defaults); !errors.As(err, &mismatch) || !strings.Contains(err.Error(), "the baseline has full, the run has --quick") {
		t.Error(err)
	}
	plan := made(nil)
	plan.Header.Search = true
	if _, err := baseline.Compare("b.yaml", b, plan, defaults); err == nil {
		t.Error("a plan was compared")
	}
	if _, err := baseline.Compare("b.yaml", b, made(nil), baseline.Options{Margin: -1}); err == nil {
		t.Error("a margin below 0 was taken")
	}
}

// A new threshold does not change the draws, so the runs are still paired.
func TestThresholdsLeavePairs(t *testing.T) {
	b := must(t, made(nil))
	v := gated(t, b, runtest.Budgeted(made(nil), scenarios.Threshold{Rule: "bounded-10.fd.peak <= 1000"}), defaults)
	if c := v.Comparison; !c.Paired || strings.Contains(strings.Join(c.Differences, ""), "changed") {
		t.Errorf("paired %v, %q", c.Paired, c.Differences)
	}
}

// spread makes every second block of a variant take longer, as on a busy machine.
func spread(by float64, variant string) func(t *results.Trial) bool {
	return func(t *results.Trial) bool {
		if t.Variant == variant && t.Block%2 == 1 {
			t.Makespan = time.Duration(by * float64(t.Makespan))
		}
		return true
	}
}

// With OpenSharesWarn, shares whose intervals include the limit because of noise only
// warn. Those that are worse, or more likely worse than not, still decide, as do counts.
func TestOpenShares(t *testing.T) {
	b := must(t, made(nil))
	warn := defaults
	warn.OpenSharesWarn = true
	lost := spread(1.5, "bounded-10")
	for name, c := range map[string]struct {
		change        func(t *results.Trial) bool
		fail, warn    int
		shares, warns string
	}{
		"noise":             {spread(1.5, "bounded-10"), 3, 0, "inconclusive", "(advisory)"},
		"likelier worse":    {spread(4, "bounded-10"), 3, 3, "inconclusive", ""},
		"worse":             {slower(2, "bounded-10"), 1, 1, "worse", ""},
		"noise, and a loss": {func(t *results.Trial) bool { t.Documents.Lost = min(1, t.Block); return lost(t) }, 1, 1, "inconclusive", "(advisory)"},
	} {
		for option, want := range map[*baseline.Options]int{&defaults: c.fail, &warn: c.warn} {
			v := gated(t, b, made(c.change), *option)
			var found []string
			for _, r := range v.Comparison.Rows {
				if r.Metric == baseline.MetricReduction && r.Variant == "bounded-10" {
					text := r.Decision
					if r.Advisory {
						text += "(advisory)"
					}
					found = append(found, string(text))
				}
			}
			suffix := ""
			if option.OpenSharesWarn {
				suffix = c.warns
			}
			if got := strings.Join(found, " "); v.Comparison.Exit != want || !strings.Contains(got, c.shares+suffix) || suffix == "" && strings.Contains(got, "advisory") {
				t.Errorf("%s, warn %v: exit %d, want %d: %s", name, option.OpenSharesWarn, v.Comparison.Exit, want, got)
			}
		}
	}
}

// Too few blocks for an interval are inconclusive rather than noise, so the comparison
// does not pass.
func TestTooFewBlocksStayOpen(t *testing.T) {
	warn := defaults
	warn.OpenSharesWarn = true
	few := made(func(t *results.Trial) bool { return t.Block < 3 })
	if v := gated(t, must(t, made(nil)), few, warn); v.Comparison.Exit != 3 {
		t.Errorf("exit %d", v.Comparison.Exit)
	}
}
