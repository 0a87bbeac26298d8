package ci_test

import (
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/report/ci"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/verdict"
)

func TestBaselineJudgment(t *testing.T) {
	for name, v := range reporttest.BaselineOutcomes() {
		run := &results.Run{Header: results.Header{ID: v.Run.Run, ScenarioName: v.Run.Scenario}}
		j := ci.BaselineJudgment(ci.Judged{Run: run, Verdict: v.Run}, v, "floodgate gate "+v.Run.Run)
		if name == "worse" {
			reporttest.Golden(t, "baseline.worse.md", ci.Comment(j))
		}
		checkSARIF(t, ci.SARIF(j))
		checkAnnotations(t, ci.Annotations(j))
		checkMarkdown(t, ci.Comment(j), ci.MaxComment)
		if n := parseJUnit(t, ci.JUnit(j)); (v.Exit == verdict.ExitPassed) != (n.Failures+n.Errors == 0) || v.Exit == verdict.ExitFailed && n.Failures == 0 {
			t.Errorf("%s: exit code %d, and %+v", name, v.Exit, n)
		}
		if uncompared := strings.Contains(string(ci.JUnit(j)), `name="nothing-compared"`); uncompared != (name == "nothing") || uncompared && v.Comparison.Exit != verdict.ExitNotMeasured {
			t.Errorf("%s: exit code %d, a check that nothing was compared: %v", name, v.Comparison.Exit, uncompared)
		}
	}
}

func TestGoBenchJudgment(t *testing.T) {
	for name, v := range reporttest.GoBenchOutcomes(t) {
		j := ci.GoBenchJudgment(v, "floodgate gate bench old.txt new.txt")
		reporttest.Golden(t, "gobenchgate."+name+".md", ci.Comment(j))
		reporttest.Golden(t, "gobenchgate."+name+".github.txt", ci.Annotations(j))
		checkSARIF(t, ci.SARIF(j))
		if n := parseJUnit(t, ci.JUnit(j)); (v.Exit == verdict.ExitFailed) != (n.Failures > 0) || (v.Exit == verdict.ExitInconclusive || v.Exit == verdict.ExitNotMeasured) != (n.Failures == 0 && n.Errors > 0) {
			t.Errorf("%s: exit code %d, and %+v", name, v.Exit, n)
		}
	}
}

func TestPairsJudgment(t *testing.T) {
	for _, name := range reporttest.PairKinds() {
		v := reporttest.PairsOutcome(t, name)
		j := ci.PairsJudgment(v)
		reporttest.Golden(t, "pairs."+name+".md", ci.Comment(j))
		checkSARIF(t, ci.SARIF(j))
		checkAnnotations(t, ci.Annotations(j))
		checkMarkdown(t, ci.Comment(j), ci.MaxComment)
		if n := parseJUnit(t, ci.JUnit(j)); (v.Exit == verdict.ExitPassed) != (n.Failures+n.Errors == 0) || v.Exit == verdict.ExitFailed && n.Failures == 0 || (name == "pairless") != (v.Exit == verdict.ExitNotMeasured && v.Unmeasured == "") {
			t.Errorf("%s: exit code %d, and %+v", name, v.Exit, n)
		}
	}
}
