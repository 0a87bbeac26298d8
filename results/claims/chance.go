package claims

import (
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// Chance is the probability that a run fails although all of its claims and thresholds
// hold. Only intervals can fail by chance as far as their level tells: a two-sided interval
// at 95 % lies beyond its limit on the wrong side with a probability of at most 2.5 %.
// The sum over all of them is a bound however they depend on each other, as variants share
// their reference (the union bound, or Bonferroni's inequality). Recorded values, such as
// counts and percentiles, are compared with their limits as they are.
type Chance struct {
	// Judged is the number of claims and thresholds that can fail the run.
	Judged int `json:"judged"`
	// Untested is the number of those without an interval.
	Untested int `json:"untested"`
	// Intervals is the number of intervals of the others, and Level their level.
	Intervals int     `json:"intervals"`
	Level     float64 `json:"level"`
	// Bound bounds the probability that any of them fails.
	Bound float64 `json:"bound"`
}

// chance returns the chance of a false failure of the judged claims and thresholds.
// Thresholds that only warn cannot fail. It is nil if nothing can.
func (v *Outcome) chance() *Chance {
	if v.Shard != nil {
		return nil
	}
	c := &Chance{Level: v.Confidence}
	each := (1 - v.Confidence) / 2
	if v.Interim != nil { // any of the analyses so far might have been wrong
		each *= float64(v.Interim.Number)
	}
	// add adds a subject that fails if one of its points does, or only if all do.
	add := func(evidence []Evidence, all bool) {
		n := 0
		for _, e := range evidence {
			if e.Low != nil && e.High != nil && e.Decision != "" {
				n++
			}
		}
		c.Judged++
		c.Intervals += n
		switch {
		case n == 0:
			c.Untested++
		case all: // at most as probable as the least probable point
			c.Bound += each
		default:
			c.Bound += float64(n) * each
		}
	}
	for _, claim := range v.Claims {
		add(claim.Evidence, claim.Expected == verdict.Refuted)
	}
	for _, t := range v.Thresholds {
		if !t.OnlyWarns() {
			add(t.Evidence, false)
		}
	}
	if c.Judged == 0 {
		return nil
	}
	c.Bound = *summary.Rounded(min(1, c.Bound))
	return c
}
