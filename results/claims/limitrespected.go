package claims

import (
	"slices"

	"floodgate/results"
	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// judgeLimitRespected is refuted by one trial in which the upstream saw more requests
// in flight than the variant declares, and proved if every trial ended and the
// upstream saw it. An invalid trial counts: only its times are not valid.
func judgeLimitRespected(x *summary.Index, c scenarios.LimitRespectedClaim, judged *Claim) {
	for _, name := range c.Of {
		i := slices.IndexFunc(x.Scenario.Variants, func(v scenarios.Variant) bool { return v.Name == name })
		if i < 0 {
			continue
		}
		for _, l := range x.LevelsOf(name) {
			judged.Evidence = append(judged.Evidence, limitRespectedAt(x, x.Scenario.Variants[i], l))
		}
	}
}

func limitRespectedAt(x *summary.Index, v scenarios.Variant, l scenarios.Level) Evidence {
	level, limit := l.Name, l.Scenario.DeclaredLimit(v)
	e := Evidence{Kind: KindLimitRespected, Variant: v.Name, Level: level, Decision: verdict.Undecided, Limit: new(float64(limit))}
	gaps := make(gaps)
	exceeded := 0
	for _, t := range x.Trials(v.Name, level) {
		if t.Outcome != results.OutcomeOK && t.Outcome != results.OutcomeStalled && t.Outcome != results.OutcomeInvalid {
			gaps[t.Outcome]++
		}
		u := t.Upstream
		switch over := t.Overrun != nil && t.Overrun.PeakInFlight > 0; {
		case over:
			exceeded++
		case u == nil:
			gaps["requests in flight to the external upstream are not counted"]++
			continue
		case u.Requests == 0:
			gaps["the upstream saw no request"]++
			continue
		case u.PeakInFlight > limit:
			gaps["abandoned requests may explain the excess"]++
		}
		if e.N++; u != nil && (e.Value == nil || float64(u.PeakInFlight) > *e.Value) {
			e.Value = new(float64(u.PeakInFlight))
		}
	}
	gaps["not run"] += x.Blocks() - len(x.Trials(v.Name, level))
	e.missAll(gaps)
	switch {
	case exceeded > 0:
		e.Decision = verdict.Refuted
	case gaps.total() == 0 && e.N > 0:
		e.Decision = verdict.Proved
	}
	return e
}
