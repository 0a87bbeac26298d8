package ci_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"floodgate/results/internal/runtest"
	"floodgate/results/report/ci"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// judged returns a run with its verdict, and for some runs a scenario file.
func judged(t *testing.T, name string) ci.Judged {
	t.Helper()
	run := reporttest.Runs()[name]
	j := ci.Judged{Run: run, Verdict: reporttest.Judge(t, run)}
	if name == "messy" || name == "service" {
		j.File, j.Lines.Claims = "scenarios/my report.yaml", map[string]int{"faster": 31, "more-is-more": 35}
	}
	return j
}

func TestGoldenCI(t *testing.T) {
	for name := range reporttest.Runs() {
		t.Run(name, func(t *testing.T) {
			j := judged(t, name)
			reporttest.Golden(t, name+".md", ci.Markdown(j, 0))
			reporttest.Golden(t, name+".comment.md", ci.Comment(j.Judgment()))
			reporttest.Golden(t, name+".junit.xml", ci.JUnit(j.Judgment()))
			reporttest.Golden(t, name+".sarif", ci.SARIF(j.Judgment()))
			reporttest.Golden(t, name+".github.txt", ci.Annotations(j.Judgment()))
		})
	}
}

// The same run renders to the same bytes.
func TestCIIsDeterministic(t *testing.T) {
	for name := range reporttest.Runs() {
		a, b := judged(t, name), judged(t, name)
		for format, render := range renderers() {
			if !bytes.Equal(render(a), render(b)) {
				t.Errorf("%s as %s is not always the same", name, format)
			}
		}
	}
}

func renderers() map[string]func(ci.Judged) []byte {
	return map[string]func(ci.Judged) []byte{
		"markdown": func(j ci.Judged) []byte { return ci.Markdown(j, ci.MaxComment) },
		"comment":  func(j ci.Judged) []byte { return ci.Comment(j.Judgment()) },
		"junit":    func(j ci.Judged) []byte { return ci.JUnit(j.Judgment()) },
		"sarif":    func(j ci.Judged) []byte { return ci.SARIF(j.Judgment()) },
		"github":   func(j ci.Judged) []byte { return ci.Annotations(j.Judgment()) },
	}
}

// Nothing that did not pass looks as if it had, whatever the reason.
func TestNothingOpenLooksLikeAPass(t *testing.T) {
	exits := make(map[int]bool)
	for _, j := range everyExit(t) {
		exit := j.Verdict.Exit
		exits[exit] = true
		suite := parseJUnit(t, ci.JUnit(j.Judgment()))
		if bad := suite.Failures+suite.Errors > 0; bad != (exit != verdict.ExitPassed) {
			t.Errorf("exit %d: JUnit has %d failures and %d errors", exit, suite.Failures, suite.Errors)
		}
		if exit == verdict.ExitFailed && suite.Failures == 0 || exit == verdict.ExitNotMeasured && suite.Errors == 0 {
			t.Errorf("exit %d: JUnit has %d failures and %d errors", exit, suite.Failures, suite.Errors)
		}
		if slices.ContainsFunc(j.Judgment().Checks, func(c ci.Check) bool { return c.Decision == verdict.Warned }) && exit == verdict.ExitPassed {
			continue // a warning is expected
		}
		sarif := string(ci.SARIF(j.Judgment()))
		if bad := strings.Contains(sarif, `"level": "error"`) || strings.Contains(sarif, `"level": "warning"`); bad != (exit != verdict.ExitPassed) {
			t.Errorf("exit %d: SARIF has an error or a warning: %v", exit, bad)
		}
		lines := string(ci.Annotations(j.Judgment()))
		if bad := strings.Contains("\n"+lines, "\n::error ") || strings.Contains("\n"+lines, "\n::warning "); bad != (exit != verdict.ExitPassed) {
			t.Errorf("exit %d: there is an error or a warning: %v\n%s", exit, bad, lines)
		}
		first, _, _ := strings.Cut(string(ci.Markdown(j, 0)), "\n")
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

// everyExit returns runs with every exit code.
func everyExit(t *testing.T) []ci.Judged {
	var all []ci.Judged
	for name := range reporttest.Runs() {
		all = append(all, judged(t, name))
	}
	for _, run := range reporttest.StoredRuns() {
		all = append(all, ci.Judged{Run: run, Verdict: reporttest.Judge(t, run)})
	}
	broken := runtest.New(runtest.Options{Bare: true, Blocks: 7, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": 20}}})
	broken.Trials[3].Outcome, broken.Trials[3].Reason, broken.Trials[3].Makespan = "failed", "the database did not answer", 0
	return append(all, ci.Judged{Run: broken, Verdict: reporttest.Judge(t, broken)})
}
