package verdict_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// Every decision has a name, a tone, a mark and an exit code.
func TestDecisions(t *testing.T) {
	codes := map[verdict.Decision]int{
		verdict.Passed: 0, verdict.Warned: 0, verdict.NotJudged: 0, verdict.Failed: 1, verdict.Misused: 2, verdict.Inconclusive: 3, verdict.NotMeasured: 4,
	}
	all := verdict.Decisions()
	if len(all) != len(codes) {
		t.Fatalf("%d decisions, of which this test knows %d", len(all), len(codes))
	}
	for _, d := range all {
		code, ok := codes[d]
		if !ok || d.ExitCode() != code {
			t.Errorf("%s: exit code %d, want %d", d, d.ExitCode(), code)
		}
		if d == "" || d.Tone() == verdict.Plain || d.Mark() == "" {
			t.Errorf("%q: tone %q, mark %q", d, d.Tone(), d.Mark())
		}
		if d.Mark() == "✓" && d != verdict.Passed || d.Tone() == verdict.Good && d != verdict.Passed {
			t.Errorf("%s looks like a pass: %s", d, d.Mark())
		}
		if a := d.Advisory(); a.ExitCode() != 0 || (a == d) != (d.ExitCode() == 0) {
			t.Errorf("%s: as an advisory one %s", d, a)
		}
	}
	if d := verdict.Decision(""); d.ExitCode() != verdict.ExitInconclusive || verdict.Worst(d) != verdict.Inconclusive {
		t.Errorf("no decision: exit code %d", d.ExitCode())
	}
}

// Every word has a decision, and no two words are the same.
func TestWords(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range verdict.Words() {
		if seen[w.String()] || !slices.Contains(verdict.Decisions(), w.Decision()) {
			t.Errorf("%q: there twice, or its decision %q is none", w, w.Decision())
		}
		seen[w.String()] = true
		if bad := w.Tone() == verdict.Bad; bad != (w.Decision() == verdict.Failed) {
			t.Errorf("%s: tone %q, but it means %s", w, w.Tone(), w.Decision())
		}
		if w.Decision() == verdict.Inconclusive && w.Tone() != verdict.Doubt {
			t.Errorf("%s: tone %q", w, w.Tone())
		}
	}
	if w := verdict.Word("of a later version"); w.Decision() != verdict.Inconclusive {
		t.Errorf("an unknown word means %s", w.Decision())
	}
	for _, kind := range []verdict.Kind{verdict.Claims, verdict.Thresholds, verdict.Comparisons} {
		for _, d := range []verdict.Decision{verdict.Passed, verdict.Failed, verdict.Inconclusive} {
			if w := kind.Word(d); w.Decision() != d || kind.All([]verdict.Word{w, ""}) != w {
				t.Errorf("%v: %s is %s, which means %s", kind, d, w, w.Decision())
			}
		}
		if got := kind.All(nil); got != verdict.Undecided {
			t.Errorf("%v: nothing is %s", kind, got)
		}
	}
}

func TestWorst(t *testing.T) {
	one := rapid.SampledFrom(verdict.Decisions())
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := one.Draw(t, "a"), one.Draw(t, "b"), one.Draw(t, "c")
		if verdict.Worst(a, b) != verdict.Worst(b, a) {
			t.Errorf("%s and %s do not commute", a, b)
		}
		if left, right := verdict.Worst(verdict.Worst(a, b), c), verdict.Worst(a, verdict.Worst(b, c)); left != right || left != verdict.Worst(a, b, c) {
			t.Errorf("%s, %s and %s: %s or %s", a, b, c, left, right)
		}
		if verdict.Worst(a, a) != a || verdict.Worst(a) != a || verdict.Worst(a, verdict.Worst()) != a {
			t.Errorf("%s is not the worst of itself", a)
		}
		if w := verdict.Worst(a, b); w != a && w != b {
			t.Errorf("the worst of %s and %s is %s", a, b, w)
		}
	})
	if got := verdict.WorstExit(0, 4, 3); got != verdict.ExitNotMeasured || verdict.WorstExit() != verdict.ExitPassed || verdict.WorstExit(4, 1, 0) != verdict.ExitFailed {
		t.Errorf("the worst of 0, 4 and 3 is %d", got)
	}
	if verdict.Overall(verdict.Passed, verdict.Warned) != verdict.Passed || verdict.Overall(verdict.Warned, verdict.Failed) != verdict.Failed || verdict.Overall() != verdict.NotJudged {
		t.Error("a warning decides")
	}
	for i, d := range []verdict.Decision{verdict.Passed, verdict.Warned, verdict.Inconclusive, verdict.NotMeasured, verdict.Failed} {
		for _, better := range []verdict.Decision{verdict.NotJudged, verdict.Passed, verdict.Warned, verdict.Inconclusive, verdict.NotMeasured, verdict.Failed}[:i+1] {
			if verdict.Worst(better, d) != d {
				t.Errorf("%s does not outweigh %s", d, better)
			}
		}
	}
}

// The decision on a budget is correct for every value of the range.
func TestJudgeBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := scenarios.Budget{Op: rapid.SampledFrom([]string{"<", "<=", ">", ">=", "=="}).Draw(t, "op"), Limit: float64(rapid.IntRange(0, 20).Draw(t, "limit"))}
		margin := rapid.SampledFrom([]float64{0, 0.1, 0.5}).Draw(t, "margin")
		low := rapid.IntRange(0, 20).Draw(t, "low")
		known := verdict.Range{Low: float64(low), High: float64(rapid.IntRange(low, 25).Draw(t, "high"))}
		known.BelowHigh = known.Low < known.High && b.Op != "==" && rapid.Bool().Draw(t, "below high")
		met, not := 0, 0
		for v := known.Low; v <= known.High; v += 0.25 {
			if known.BelowHigh && v == known.High {
				break
			}
			if ok, _ := b.Met(v, margin); ok {
				met++
			} else {
				not++
			}
		}
		want := verdict.Undecided
		switch {
		case not == 0:
			want = verdict.Met
		case met == 0:
			want = verdict.Violated
		}
		got := verdict.JudgeBudget(b, margin, known)
		if got != want && (!known.BelowHigh || got != verdict.Undecided) { // an open end may be closer to the limit than the steps
			t.Errorf("%s %v, margin %v, of %+v: %s, want %s", b.Op, b.Limit, margin, known, got, want)
		}
	})
	most := scenarios.Budget{Op: "<", Limit: 10}
	if got := verdict.JudgeBudget(most, 0, verdict.Range{Low: 11, High: math.Inf(1)}); got != verdict.Violated {
		t.Errorf("at least 11 beside < 10: %s", got)
	}
	if got := verdict.JudgeBudget(most, 0, verdict.Range{Low: 9, High: 10, BelowHigh: true}); got != verdict.Met {
		t.Errorf("below 10 beside < 10: %s", got)
	}
}

func TestThreshold(t *testing.T) {
	for _, test := range []struct {
		severity string
		word     verdict.Word
		want     verdict.Decision
	}{
		{"", verdict.Met, verdict.Passed},
		{"", verdict.Violated, verdict.Failed},
		{scenarios.SeverityFail, verdict.Undecided, verdict.Inconclusive},
		{scenarios.SeverityWarn, verdict.Met, verdict.Passed},
		{scenarios.SeverityWarn, verdict.Violated, verdict.Warned},
		{scenarios.SeverityWarn, verdict.Undecided, verdict.Warned},
	} {
		judged, b, err := verdict.NewThreshold(scenarios.Threshold{Rule: "ten.fd.peak <= 3", Severity: test.severity, Margin: 0.1, Abort: true})
		if err != nil || b.Variant != "ten" || judged.Verdict() != verdict.Inconclusive && judged.Verdict() != verdict.Warned {
			t.Fatalf("%+v, %v, %v", judged, b, err)
		}
		if judged.Decision = test.word; judged.Verdict() != test.want {
			t.Errorf("%s, severity %q: %s, want %s", test.word, test.severity, judged.Verdict(), test.want)
		}
	}
	text, err := json.Marshal(verdict.Threshold{Rule: "r", Severity: "fail", Decision: verdict.Met})
	if want := `{"rule":"r","severity":"fail","decision":"met"}`; err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}

func TestCounts(t *testing.T) {
	c := verdict.Counts{verdict.Same: 2, verdict.Better: 1}
	if got, want := c.Words(), []verdict.Word{verdict.Worse, verdict.Better, verdict.Same}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
