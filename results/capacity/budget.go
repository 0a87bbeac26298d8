package capacity

import "floodgate/scenarios"

// Decisions about a threshold of a plan.
const (
	Kept      = "kept"
	Broken    = "broken"
	Undecides = "inconclusive"
)

// Threshold is the judgement of a scenario's budget over the highest rate that
// a variant sustains.
type Threshold struct {
	Rule     string `json:"rule"` // in its author's words
	Variant  string `json:"variant"`
	Severity string `json:"severity"`
	// Margin is what the limit may be missed by, a share of it.
	Margin float64 `json:"margin,omitempty"`
	// Limit in reports a second.
	Limit    float64 `json:"limit"`
	Decision string  `json:"decision"`
	// Why it could not be decided; empty: it was.
	Why string `json:"why,omitempty"`
}

// Fails says whether the threshold bears on the exit code.
func (t Threshold) Fails() bool { return t.Severity != scenarios.SeverityWarn }

// JudgeRates judges the thresholds of a scenario over [scenarios.MetricMaxRate],
// each by what was found of its variant; the others are none of a plan's.
//
// What is sustained lies between the highest rate that was confirmed and the
// lowest that failed: a limit between the two, the margin counted in, is
// inconclusive, as is one of a variant of which nothing was found.
// One that cannot be read is inconclusive.
func JudgeRates(thresholds []scenarios.Threshold, found []Variant) []Threshold {
	var all []Threshold
	for _, t := range thresholds {
		b, err := scenarios.ParseBudget(t.Rule)
		if err != nil {
			all = append(all, Threshold{Rule: t.Rule, Severity: t.Severity, Decision: Undecides, Why: err.Error()})
			continue
		}
		if b.Metric.Name != scenarios.MetricMaxRate {
			continue
		}
		judged := Threshold{Rule: t.Rule, Variant: b.Variant, Severity: t.Severity, Margin: float64(t.Margin), Limit: b.Limit}
		judged.Decision, judged.Why = Undecides, "the variant was not tried"
		for _, v := range found {
			if v.Variant == b.Variant {
				judged.Decision, judged.Why = v.keeps(b, judged.Margin)
			}
		}
		all = append(all, judged)
	}
	return all
}

// keeps judges a budget by the two ends of what is known.
func (v Variant) keeps(b scenarios.Budget, margin float64) (decision, why string) {
	atLeast := v.Confirmed > 0
	atMost := v.Failed > 0 // the sustained rate is below it
	least, _ := b.Kept(v.Confirmed, margin)
	switch {
	case b.Upper():
		// kept where even the lowest rate that failed is no more than the limit
		if atMost && v.Failed <= b.Bound(margin) {
			return Kept, ""
		}
		if atLeast && !least {
			return Broken, ""
		}
	default:
		if atLeast && least {
			return Kept, ""
		}
		if atMost && v.Failed <= b.Bound(margin) {
			return Broken, ""
		}
	}
	switch {
	case v.Unmeasured != "":
		return Undecides, "it could not be measured: " + v.Unmeasured
	case atLeast && atMost:
		return Undecides, "the limit lies between the rate that was confirmed and the one that failed"
	case atLeast:
		return Undecides, "no rate above the one that was confirmed was tried; --max-rate says how high"
	case atMost:
		return Undecides, "no rate was confirmed"
	}
	return Undecides, "nothing is known of its rate"
}
