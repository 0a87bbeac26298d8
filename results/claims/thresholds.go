package claims

import (
	"fmt"
	"maps"

	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// Threshold is the judgment of one budget of the scenario.
type Threshold struct {
	verdict.Threshold
	// Op compares the values of the evidence with the limits; Unit is their unit.
	Op   string         `json:"op"`
	Unit scenarios.Unit `json:"unit"`
	// Evidence has one point per level, of kind [KindThreshold] or [KindReduction].
	Evidence []Evidence `json:"evidence"`
	Notes    []string   `json:"notes,omitempty"`
}

// judgeThreshold judges a budget at every level that it selects. It is met if it
// is met at all of them, and violated if it is violated at one.
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

// marginOf returns the margin of a threshold, rounded as in records.
func marginOf(t scenarios.Threshold) float64 { return *summary.Rounded(float64(t.Margin)) }

// reductionMet judges a threshold on a reduction by its interval, like a claim.
func reductionMet(x *summary.Index, b scenarios.Budget, level string, margin float64) (Evidence, *comparison, error) {
	atLeast := b.Bound(margin)
	e, by, err := reductionAt(x, b.Variant, b.Baseline, level, atLeast)
	if err != nil {
		return e, nil, err
	}
	// The evidence passed if the reduction is at least the limit.
	kind := verdict.Thresholds
	if b.Upper() {
		kind = verdict.Kind{Passed: verdict.Violated, Failed: verdict.Met}
	}
	e.Decision = kind.Word(e.Decision.Decision())
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

// judgeBudget compares the recorded value with the limit; notRun trials are still
// missing. Missing data and trials whose SUT did not do its work keep a budget
// from being met. It is violated if the value would violate it whatever the
// missing trials were.
func judgeBudget(b scenarios.Budget, level string, margin float64, m measured, notRun int) Evidence {
	e := Evidence{Kind: KindThreshold, Variant: b.Variant, Level: level, Limit: summary.Rounded(b.Limit), Decision: verdict.Undecided, N: m.n}
	m.gaps = maps.Clone(m.gaps)
	m.gaps["not run"] += notRun
	e.missAll(m.gaps)
	e.missAll(m.doubtful)
	if m.value == nil {
		return e
	}
	e.Value, e.Notes = summary.Rounded(*m.value), m.notes
	met, within := b.Met(*m.value, margin)
	if !met && m.doubt != "" {
		if m.valid == nil || verdict.JudgeBudget(b, margin, verdict.Exactly(*m.valid)) == verdict.Met {
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
