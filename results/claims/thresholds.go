package claims

import (
	"fmt"
	"maps"

	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// Threshold is the judgement of one budget of the scenario.
type Threshold struct {
	verdict.Threshold
	// Op and Unit of the values and limits of the evidence, as package
	// scenarios has them.
	Op   string         `json:"op"`
	Unit scenarios.Unit `json:"unit"`
	// Evidence has one point a level, of kind [KindThreshold] or [KindReduction].
	Evidence []Evidence `json:"evidence"`
	Notes    []string   `json:"notes,omitempty"`
}

// judgeThreshold judges a budget at every level that it selects. It is met
// where it is at all of them, and violated where it is at one.
func judgeThreshold(x *summary.Index, t scenarios.Threshold) (Threshold, error) {
	undecided, b, err := verdict.NewThreshold(t)
	if err != nil {
		return Threshold{}, err
	}
	judged := Threshold{Threshold: undecided, Op: b.Op, Unit: b.Metric.Unit, Evidence: []Evidence{}}
	judged.Margin = marginOf(t)
	variants := []string{b.Variant}
	if b.Baseline != "" {
		variants = append(variants, b.Baseline)
	}
	var decided []comparison
	for _, l := range x.LevelsOf(variants...) {
		if !l.Selects(t.Where) {
			continue
		}
		var e Evidence
		var by *comparison
		if b.Baseline != "" {
			e, by, err = reductionMet(x, b, l.Name, judged.Margin)
		} else {
			e, err = budgetAt(x, b, l.Name, judged.Margin)
		}
		if err != nil {
			return judged, fmt.Errorf("at %s: %w", l.Name, err)
		}
		if by != nil {
			by.evidence = len(judged.Evidence)
			decided = append(decided, *by)
		}
		judged.Evidence = append(judged.Evidence, e)
	}
	distrust(decided, judged.Evidence)
	if len(judged.Evidence) == 0 {
		judged.Notes = append(judged.Notes, "no level of the run matches")
	}
	judged.Decision = combine(verdict.Thresholds, judged.Evidence)
	return judged, nil
}

// marginOf a threshold, as it is judged and shown.
func marginOf(t scenarios.Threshold) float64 { return *summary.Rounded(float64(t.Margin)) }

// reductionMet decides by the interval, as a claim does: an interval on both
// sides of the limit, the margin added, decides nothing. The value 1 − ratio is
// at least the limit where the ratio is at most 1 − limit.
func reductionMet(x *summary.Index, b scenarios.Budget, level string, margin float64) (Evidence, *comparison, error) {
	atLeast := b.Bound(margin)
	e, by, err := reductionAt(x, b.Variant, b.Baseline, level, atLeast)
	if err != nil {
		return e, nil, err
	}
	beyond := verdict.Thresholds // what it is called where the reduction is at least the limit, and where not
	if b.Upper() {
		beyond = verdict.Kind{Passed: verdict.Violated, Failed: verdict.Met}
	}
	e.Decision = beyond.Word(e.Decision.Decision())
	e.Limit = summary.Rounded(b.Limit)
	if e.Decision == verdict.Met && margin > 0 {
		worst := *e.Low
		if b.Upper() {
			worst = *e.High
		}
		if met, _ := b.Met(worst, 0); !met {
			e.Notes = append(e.Notes, byMargin)
		}
	}
	return e, by, nil
}

const byMargin = "met only by its margin"

// budgetAt judges a budget by the trials of its variant at a level.
func budgetAt(x *summary.Index, b scenarios.Budget, level string, margin float64) (Evidence, error) {
	if b.Metric.Name == scenarios.MetricMaxRate {
		return Evidence{
			Kind: KindThreshold, Variant: b.Variant, Level: level, Limit: summary.Rounded(b.Limit), Decision: verdict.Undecided,
			Notes: []string{"a run does not measure it; floodgate plan rate measures and judges it"},
		}, nil
	}
	trials := x.Trials(b.Variant, level)
	m, err := measure(trials, b)
	if err != nil {
		return Evidence{}, err
	}
	return judgeBudget(b, level, margin, m, x.Blocks()-len(trials)), nil
}

// judgeBudget compares what was recorded with the limit, with so many trials that
// were not run yet. Data that is missing never lets a budget be met, nor do
// trials whose SUT did not do its work; it is violated all the same where the value
// would stay beyond the limit whatever was missing.
func judgeBudget(b scenarios.Budget, level string, margin float64, m measured, notRun int) Evidence {
	e := Evidence{Kind: KindThreshold, Variant: b.Variant, Level: level, Limit: summary.Rounded(b.Limit), Decision: verdict.Undecided, N: m.n}
	m.gaps = maps.Clone(m.gaps)
	m.gaps["not run"] += notRun
	m.gaps.into(&e)
	m.doubtful.into(&e)
	if m.value == nil {
		return e
	}
	e.Value, e.Notes = summary.Rounded(*m.value), m.notes
	met, within := b.Met(*m.value, margin)
	if !met && m.doubt != "" {
		if m.believed == nil || verdict.JudgeBudget(b, margin, verdict.Exactly(*m.believed)) == verdict.Met {
			e.Notes = append(e.Notes, m.doubt)
			return e
		}
	}
	known, missing := verdict.Exactly(*m.value), m.gaps.total()
	if missing > 0 {
		known = verdict.Range{Low: m.completed(missing, true), High: m.completed(missing, false)}
	}
	e.Decision = verdict.JudgeBudget(b, margin, known)
	switch {
	case e.Decision != verdict.Met:
	case missing+m.doubtful.total() > 0:
		e.Decision = verdict.Undecided
	case within:
		e.Notes = append(e.Notes, byMargin)
	}
	return e
}
