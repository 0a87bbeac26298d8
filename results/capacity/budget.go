package capacity

import (
	"math"

	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// Threshold is the judgement of a scenario's budget over the highest rate that
// a variant sustains.
type Threshold struct {
	verdict.Threshold
	Variant string `json:"variant"`
	// Limit in reports a second.
	Limit float64 `json:"limit"`
	// Why it could not be decided; empty: it was.
	Why string `json:"why,omitempty"`
}

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
		undecided, b, err := verdict.NewThreshold(t)
		if err != nil {
			all = append(all, Threshold{Threshold: undecided, Why: err.Error()})
			continue
		}
		if b.Metric.Name != scenarios.MetricMaxRate {
			continue
		}
		judged := Threshold{Threshold: undecided, Variant: b.Variant, Limit: b.Limit, Why: "the variant was not tried"}
		for _, v := range found {
			if v.Variant != b.Variant {
				continue
			}
			judged.Decision, judged.Why = verdict.JudgeBudget(b, judged.Margin, v.known()), ""
			if judged.Decision == verdict.Undecided {
				judged.Why = v.whyUndecided()
			}
		}
		all = append(all, judged)
	}
	return all
}

// known is where the sustained rate lies: from the one that was confirmed to
// below the lowest that failed.
func (v Variant) known() verdict.Range {
	r := verdict.Range{Low: v.Confirmed, High: math.Inf(1)}
	if v.Failed > 0 {
		r.High, r.BelowHigh = v.Failed, true
	}
	return r
}

func (v Variant) whyUndecided() string {
	switch {
	case v.Unmeasured != "":
		return "it could not be measured: " + v.Unmeasured
	case v.Confirmed > 0 && v.Failed > 0:
		return "the limit lies between the rate that was confirmed and the one that failed"
	case v.Confirmed > 0:
		return "no rate above the one that was confirmed was tried; --max-rate says how high"
	case v.Failed > 0:
		return "no rate was confirmed"
	}
	return "nothing is known of its rate"
}
