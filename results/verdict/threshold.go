package verdict

import (
	"cmp"
	"math"

	"floodgate/scenarios"
)

// Threshold is a budget of the scenario with the decision about it.
type Threshold struct {
	Rule     string `json:"rule"` // as in the scenario
	Severity string `json:"severity"`
	// Margin is the tolerance, as a share of the limit.
	Margin float64 `json:"margin,omitempty"`
	// Abort ends the run once the threshold can no longer be met.
	Abort    bool `json:"abort,omitempty"`
	Decision Word `json:"decision"`
}

// NewThreshold returns an undecided threshold and its budget. It returns an
// error if the rule cannot be parsed.
func NewThreshold(t scenarios.Threshold) (Threshold, scenarios.Budget, error) {
	b, err := scenarios.ParseBudget(t.Rule)
	return Threshold{
		Rule: t.Rule, Severity: cmp.Or(t.Severity, scenarios.SeverityFail), Margin: float64(t.Margin), Abort: t.Abort, Decision: Undecided,
	}, b, err
}

// Verdict returns the threshold's contribution to the exit code: a threshold
// that only warns never fails.
func (t Threshold) Verdict() Decision {
	if t.OnlyWarns() {
		return t.Decision.Decision().Advisory()
	}
	return t.Decision.Decision()
}

// OnlyWarns reports whether the threshold does not affect the exit code.
func (t Threshold) OnlyWarns() bool { return t.Severity == scenarios.SeverityWarn }

// Range is an interval that a partly known value lies in.
type Range struct {
	Low, High float64
	// BelowHigh excludes High itself.
	BelowHigh bool
}

// Exactly returns the range of a known value.
func Exactly(value float64) Range { return Range{Low: value, High: value} }

// JudgeBudget decides a budget whose value lies in the range known: it is met if
// every value of the range meets it, violated if none does, and else undecided.
func JudgeBudget(b scenarios.Budget, margin float64, known Range) Word {
	meets := func(value float64) bool {
		met, _ := b.Met(value, margin)
		return met
	}
	if b.Op == "==" {
		slack := margin * math.Abs(b.Limit)
		switch {
		case meets(known.Low) && meets(known.High):
			return Met
		case known.Low > b.Limit+slack || known.High < b.Limit-slack:
			return Violated
		}
		return Undecided
	}
	// If High is excluded, all values are below the bound even if High equals it.
	high := meets(known.High)
	if known.BelowHigh {
		high = b.Upper() == (known.High <= b.Bound(margin))
	}
	best, worst := high, meets(known.Low)
	if b.Upper() {
		best, worst = worst, best
	}
	switch {
	case worst:
		return Met
	case !best:
		return Violated
	}
	return Undecided
}
