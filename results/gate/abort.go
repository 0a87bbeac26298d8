package gate

import (
	"fmt"

	"floodgate/results"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// Aborter judges the thresholds that are to end a run early, while it runs: each
// trial is added once and then forgotten, so that a trial costs the same
// whether it is the tenth of a run or the ten thousandth.
type Aborter struct{ budgets []runningBudget }

// runningBudget is a threshold at one level that it selects.
type runningBudget struct {
	rule, level string
	budget      scenarios.Budget
	margin      float64
	tally       tally
	missing     int // trials to come
}

// NewAborter returns the Aborter of a scenario's run that has these trials already.
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

// Add takes the next trial of the run. It returns the rule of the first threshold
// about the trial that no trial to come can meet any more; empty means that
// there is none, and the run goes on.
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
