package verdict

import (
	"cmp"
	"math"

	"floodgate/scenarios"
)

// Threshold is a budget of the scenario and what was decided about it.
type Threshold struct {
	Rule     string `json:"rule"` // in its author's words
	Severity string `json:"severity"`
	// Margin is what the limit may be missed by, a share of it.
	Margin float64 `json:"margin,omitempty"`
	// Abort ends the run once no trial to come can meet the threshold.
	Abort    bool `json:"abort,omitempty"`
	Decision Word `json:"decision"`
}

// NewThreshold returns a threshold that is not decided yet, and its budget. A
// rule that cannot be parsed is an error.
func NewThreshold(t scenarios.Threshold) (Threshold, scenarios.Budget, error) {
	b, err := scenarios.ParseBudget(t.Rule)
	return Threshold{
		Rule: t.Rule, Severity: cmp.Or(t.Severity, scenarios.SeverityFail), Margin: float64(t.Margin), Abort: t.Abort, Decision: Undecided,
	}, b, err
}

// Verdict returns what the threshold contributes to the exit code: one that only
// warns never fails.
func (t Threshold) Verdict() Decision {
	if t.OnlyWarns() {
		return t.Decision.Decision().Advisory()
	}
	return t.Decision.Decision()
}

// OnlyWarns reports whether the threshold leaves the exit code alone.
func (t Threshold) OnlyWarns() bool { return t.Severity == scenarios.SeverityWarn }

// Range is what is known of a value: it lies between Low and High.
type Range struct {
	Low, High float64
	// BelowHigh excludes High itself.
	BelowHigh bool
}

// Exactly is the range of a value that is known.
func Exactly(value float64) Range { return Range{Low: value, High: value} }

// JudgeBudget decides a budget by what is known of its value. It is met if
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
	// Values below High are below the bound if High is at most the bound.
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
