package gate

import (
	"cmp"
	"fmt"
	"maps"
	"math"

	"floodgate/results/summary"
	"floodgate/scenarios"
)

// Decisions about a threshold, beside [Inconclusive].
const (
	Kept   = "kept"
	Broken = "broken"
)

// Threshold is the judgement of one budget of the scenario.
type Threshold struct {
	Rule     string `json:"rule"` // in its author's words
	Severity string `json:"severity"`
	// Margin is what the limit may be missed by, a share of it.
	Margin float64 `json:"margin,omitempty"`
	// Abort says that it ends the run once no trial to come can keep it.
	Abort    bool   `json:"abort,omitempty"`
	Decision string `json:"decision"`
	// Op and Unit of the values and limits of the evidence, as package
	// scenarios has them.
	Op   string         `json:"op"`
	Unit scenarios.Unit `json:"unit"`
	// Evidence has one point a level, of kind [KindThreshold] or [KindReduction].
	Evidence []Evidence `json:"evidence"`
	Notes    []string   `json:"notes,omitempty"`
}

// Fails says whether the threshold, broken or open, bears on the exit code.
func (t Threshold) Fails() bool { return t.Severity != scenarios.SeverityWarn }

// judgeThreshold judges a budget at every level that it selects. It is kept
// where it is at all of them, and broken where it is at one.
func judgeThreshold(x *summary.Index, t scenarios.Threshold) (Threshold, error) {
	b, err := scenarios.ParseBudget(t.Rule)
	if err != nil {
		return Threshold{}, err
	}
	judged := Threshold{
		Rule: t.Rule, Severity: cmp.Or(t.Severity, scenarios.SeverityFail), Margin: marginOf(t),
		Abort: t.Abort, Op: b.Op, Unit: b.Metric.Unit, Evidence: []Evidence{},
	}
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
			e, by, err = reductionKept(x, b, l.Name, judged.Margin)
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
		judged.Notes = append(judged.Notes, "no level of the run is selected")
	}
	judged.Decision = decideBudget(judged.Evidence)
	return judged, nil
}

// marginOf a threshold, as it is judged and shown.
func marginOf(t scenarios.Threshold) float64 { return *summary.Rounded(float64(t.Margin)) }

// decideBudget is broken where one point is, and kept where all are.
func decideBudget(evidence []Evidence) string {
	counts := make(map[string]int)
	for _, e := range evidence {
		counts[e.Decision]++
	}
	switch {
	case counts[Broken] > 0:
		return Broken
	case counts[Inconclusive] == 0 && counts[Kept] > 0:
		return Kept
	}
	return Inconclusive
}

// reductionKept decides by the interval, as a claim does: an interval on both
// sides of the limit, the margin added, decides nothing. The value 1 − ratio is
// at least the limit where the ratio is at most 1 − limit.
func reductionKept(x *summary.Index, b scenarios.Budget, level string, margin float64) (Evidence, *comparison, error) {
	atLeast := b.Bound(margin)
	e, by, err := reductionAt(x, b.Variant, b.Baseline, level, atLeast)
	if err != nil {
		return e, nil, err
	}
	holds, broken := Kept, Broken
	if b.Upper() {
		holds, broken = broken, holds
	}
	switch e.Decision {
	case Proved:
		e.Decision = holds
	case Refuted:
		e.Decision = broken
	}
	e.Limit = summary.Rounded(b.Limit)
	if e.Decision == Kept && margin > 0 {
		worst := *e.Low
		if b.Upper() {
			worst = *e.High
		}
		if kept, _ := b.Kept(worst, 0); !kept {
			e.Notes = append(e.Notes, byMargin)
		}
	}
	return e, by, nil
}

const byMargin = "kept by its margin alone"

// budgetAt judges a budget by the trials of its variant at a level.
func budgetAt(x *summary.Index, b scenarios.Budget, level string, margin float64) (Evidence, error) {
	if b.Metric.Name == scenarios.MetricMaxRate {
		return Evidence{
			Kind: KindThreshold, Variant: b.Variant, Level: level, Limit: summary.Rounded(b.Limit), Decision: Inconclusive,
			Notes: []string{"a run does not measure it; floodgate plan --rate does, and judges it"},
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
// were not run yet. Data that is missing never lets a budget be kept, nor do
// trials whose SUT did not do its work; it is broken all the same where the value
// would stay beyond the limit whatever was missing.
func judgeBudget(b scenarios.Budget, level string, margin float64, m measured, missing int) Evidence {
	e := Evidence{Kind: KindThreshold, Variant: b.Variant, Level: level, Limit: summary.Rounded(b.Limit), Decision: Inconclusive, N: m.n}
	m.gaps = maps.Clone(m.gaps)
	m.gaps["not run"] += missing
	m.gaps.into(&e)
	m.doubtful.into(&e)
	if m.value == nil {
		return e
	}
	e.Value, e.Notes = summary.Rounded(*m.value), m.notes
	kept, within := b.Kept(*m.value, margin)
	switch {
	case !kept && m.doubt != "" && (m.believed == nil || fits(b, *m.believed, margin)):
		e.Notes = append(e.Notes, m.doubt)
	case !kept && (m.gaps.total() == 0 || beyondMending(m, b, margin)):
		e.Decision = Broken
	case kept && m.gaps.total()+m.doubtful.total() == 0:
		e.Decision = Kept
		if within {
			e.Notes = append(e.Notes, byMargin)
		}
	}
	return e
}

func fits(b scenarios.Budget, value, margin float64) bool {
	kept, _ := b.Kept(value, margin)
	return kept
}

// beyondMending says whether the budget stays broken whatever the trials give
// that say nothing yet.
func beyondMending(m measured, b scenarios.Budget, margin float64) bool {
	missing := m.gaps.total()
	if b.Op == "==" {
		slack := margin * math.Abs(b.Limit)
		return m.completed(missing, true) > b.Limit+slack || m.completed(missing, false) < b.Limit-slack
	}
	return !fits(b, m.completed(missing, b.Upper()), margin)
}
