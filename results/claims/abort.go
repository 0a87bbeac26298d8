package claims

import (
	"fmt"

	"floodgate/results"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// Aborter judges the thresholds that may end a run early while it runs. It
// accumulates trials one at a time, so the cost of a trial does not grow with the
// length of the run.
type Aborter struct{ budgets []runningBudget }

// runningBudget is a threshold at one of its levels.
type runningBudget struct {
	rule, level string
	budget      scenarios.Budget
	margin      float64
	tally       tally
	missing     int // trials not run yet
}

// NewAborter returns an Aborter for a run of the scenario, with the trials that
// are already done.
func NewAborter(s *scenarios.Scenario, done []results.Trial) (*Aborter, error) {
	levels, err := s.ExpandLevels()
	if err != nil {
		return nil, err
	}
	runs := map[string]scenarios.Variant{}
	for _, v := range s.Variants {
		runs[v.Name] = v
	}
	a := &Aborter{}
	for _, t := range s.Thresholds {
		if !t.Abort {
			continue
		}
		b, err := scenarios.ParseBudget(t.Rule)
		if err != nil {
			return nil, fmt.Errorf("threshold %q: %w", t.Rule, err)
		}
		for _, l := range levels {
			if l.Selects(t.Where) && runs[b.Variant].RunsAt(l) && b.Metric.Name != scenarios.MetricMaxRate {
				a.budgets = append(a.budgets, runningBudget{t.Rule, l.Name, b, marginOf(t), newTally(b), s.Blocks})
			}
		}
	}
	for _, t := range done {
		if _, err := a.Add(t); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Add adds the next trial of the run. It returns the rule of the first threshold
// of this trial that can no longer be met, or "" if the run should continue.
func (a *Aborter) Add(t results.Trial) (rule string, err error) {
	for i := range a.budgets {
		b := &a.budgets[i]
		if b.budget.Variant != t.Variant || b.level != t.LevelName {
			continue
		}
		if err := b.tally.add(&t); err != nil {
			return "", fmt.Errorf("threshold %q: at %s: %w", b.rule, b.level, err)
		}
		b.missing--
		if rule == "" && judgeBudget(b.budget, b.level, b.margin, b.tally.measured(), b.missing).Decision == verdict.Violated {
			rule = b.rule
		}
	}
	return rule, nil
}
