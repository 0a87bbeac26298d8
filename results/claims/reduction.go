package claims

import (
	"errors"
	"math"

	"floodgate/results/noise"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// judgeReduction judges the claim at each selected level: it is proved if the
// interval of the ratio of the variant's makespan to that of the reference ends at
// or below 1 - at_least, and refuted if it begins above.
func judgeReduction(x *summary.Index, c scenarios.ReductionClaim, judged *Claim) (decided []comparison, err error) {
	for _, variant := range c.Of {
		for _, l := range x.LevelsOf(variant, c.Reference) {
			if !l.Selects(c.Where) {
				continue
			}
			e, by, err := reductionAt(x, variant, c.Reference, l.Name, float64(c.AtLeast))
			if err != nil {
				return nil, err
			}
			if by != nil {
				by.evidence = len(judged.Evidence)
				decided = append(decided, *by)
			}
			judged.Evidence = append(judged.Evidence, e)
		}
	}
	if len(judged.Evidence) == 0 {
		judged.Notes = append(judged.Notes, "no level of the run matches")
	}
	return decided, nil
}

// reductionAt returns the evidence at one level and the comparison that decided
// it; nil means too few pairs.
func reductionAt(x *summary.Index, variant, against, level string, atLeast float64) (Evidence, *comparison, error) {
	ratio, pairing, err := x.Compare(variant, against, level)
	e := Evidence{
		Kind: KindReduction, Variant: variant, Reference: against, Level: level, Limit: &atLeast,
		N: len(pairing.LogRatios), Missing: pairing.Missing, Decision: verdict.Undecided,
	}
	if tooFew(&e, err) {
		if e.N > 0 {
			e.Value = summary.Rounded(1 - math.Exp(stats.HodgesLehmann(pairing.Values())))
		}
		return e, nil, nil
	} else if err != nil {
		return e, nil, err
	}
	e.Value, e.Low, e.High = summary.Rounded(1-ratio.Exact.Estimate), summary.Rounded(1-ratio.Exact.High), summary.Rounded(1-ratio.Exact.Low)
	limit := 1 - atLeast
	switch ratio.Exact.Side(limit) {
	case -1:
		e.Decision = verdict.Proved
	case +1:
		e.Decision = verdict.Refuted
	}
	if ratio.Disagree(limit) {
		e.Notes = append(e.Notes, bootstrapNote)
	}
	by := &comparison{interval: ratio.Exact.Log(), limit: math.Log(limit), pairs: noise.Pairs{
		Variant: variant, Reference: against, Level: level,
		LogRatios: pairing.Values(), Seed: x.Seed("order", variant, against, level),
	}}
	by.addSide(x, variant, level, true)
	by.addSide(x, against, level, false)
	return e, by, nil
}

const bootstrapNote = "a bootstrap of the same pairs decides otherwise; run more blocks"

// tooFew reports whether err is a [stats.TooFewError], and notes it if so.
func tooFew(e *Evidence, err error) bool {
	few := new(stats.TooFewError)
	if !errors.As(err, &few) {
		return false
	}
	e.Notes = append(e.Notes, few.Error())
	return true
}
