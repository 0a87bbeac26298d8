package report_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// judged is a run with its verdict, and a scenario file where that is wanted.
func judged(t *testing.T, name string) report.Judged {
	t.Helper()
	run := cases()[name]
	j := report.Judged{Run: run, Verdict: judge(t, run)}
	if name == "messy" || name == "service" {
		j.File, j.Lines.Claims = "scenarios/my report.yaml", map[string]int{"faster": 31, "more-is-more": 35}
	}
	return j
}

func TestGoldenCI(t *testing.T) {
	for name := range cases() {
		t.Run(name, func(t *testing.T) {
			j := judged(t, name)
			golden(t, name+".md", report.Markdown(j, 0))
			golden(t, name+".comment.md", report.Comment(j.Judgement()))
			golden(t, name+".junit.xml", report.JUnit(j.Judgement()))
			golden(t, name+".sarif", report.SARIF(j.Judgement()))
			golden(t, name+".github.txt", report.Annotations(j.Judgement()))
		})
	}
}

// The same run gives the same bytes.
func TestCIIsDeterministic(t *testing.T) {
	for name := range cases() {
		a, b := judged(t, name), judged(t, name)
		for format, render := range renderers() {
			if !bytes.Equal(render(a), render(b)) {
				t.Errorf("%s as %s is not always the same", name, format)
			}
		}
	}
}

func renderers() map[string]func(report.Judged) []byte {
	return map[string]func(report.Judged) []byte{
		"markdown": func(j report.Judged) []byte { return report.Markdown(j, report.MaxComment) },
		"comment":  func(j report.Judged) []byte { return report.Comment(j.Judgement()) },
		"junit":    func(j report.Judged) []byte { return report.JUnit(j.Judgement()) },
		"sarif":    func(j report.Judged) []byte { return report.SARIF(j.Judgement()) },
		"github":   func(j report.Judged) []byte { return report.Annotations(j.Judgement()) },
	}
}

// What is not held must not look as if it were, whichever way it is not.
func TestNothingOpenLooksLikeAPass(t *testing.T) {
	exits := make(map[int]bool)
	for _, j := range everyExit(t) {
		exit := j.Verdict.Exit
		exits[exit] = true
		suite := parseJUnit(t, report.JUnit(j.Judgement()))
		if bad := suite.Failures+suite.Errors > 0; bad != (exit != verdict.ExitPassed) {
			t.Errorf("exit %d: JUnit has %d failures and %d errors", exit, suite.Failures, suite.Errors)
		}
		if exit == verdict.ExitFailed && suite.Failures == 0 || exit == verdict.ExitNotMeasured && suite.Errors == 0 {
			t.Errorf("exit %d: JUnit has %d failures and %d errors", exit, suite.Failures, suite.Errors)
		}
		if slices.ContainsFunc(j.Judgement().Checks, func(c report.Check) bool { return c.Decision == verdict.Warned }) && exit == verdict.ExitPassed {
			continue // it warns, and has to
		}
		sarif := string(report.SARIF(j.Judgement()))
		if bad := strings.Contains(sarif, `"level": "error"`) || strings.Contains(sarif, `"level": "warning"`); bad != (exit != verdict.ExitPassed) {
			t.Errorf("exit %d: SARIF has an error or a warning: %v", exit, bad)
		}
		lines := string(report.Annotations(j.Judgement()))
		if bad := strings.Contains("\n"+lines, "\n::error ") || strings.Contains("\n"+lines, "\n::warning "); bad != (exit != verdict.ExitPassed) {
			t.Errorf("exit %d: there is an error or a warning: %v\n%s", exit, bad, lines)
		}
		first, _, _ := strings.Cut(string(report.Markdown(j, 0)), "\n")
		if held := strings.HasPrefix(first, "## ✓ passed"); held != (exit == verdict.ExitPassed && len(j.Verdict.Claims)+len(j.Verdict.Thresholds) > 0) {
			t.Errorf("exit %d: Markdown begins with %q", exit, first)
		}
	}
	for _, want := range []int{verdict.ExitPassed, verdict.ExitFailed, verdict.ExitInconclusive, verdict.ExitNotMeasured} {
		if !exits[want] {
			t.Errorf("no run with exit code %d", want)
		}
	}
}

// everyExit are runs that came out in every way.
func everyExit(t *testing.T) []report.Judged {
	var all []report.Judged
	for name := range cases() {
		all = append(all, judged(t, name))
	}
	for _, run := range stored() {
		all = append(all, report.Judged{Run: run, Verdict: judge(t, run)})
	}
	broken := runtest.New(runtest.Options{Bare: true, Blocks: 7, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": 20}}})
	broken.Trials[3].Outcome, broken.Trials[3].Reason, broken.Trials[3].Makespan = "failed", "the database did not answer", 0
	return append(all, report.Judged{Run: broken, Verdict: judge(t, broken)})
}
