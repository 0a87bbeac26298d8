package claims

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"floodgate/results/leak"
	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// judgeExhaustion is proved if every trial ran out of descriptors (or none did, if
// the claim is "never"), refuted if the opposite is true of every trial, and
// inconclusive otherwise.
func judgeExhaustion(x *summary.Index, c scenarios.ExhaustionClaim, judged *Claim) error {
	return eachService(x, c.Of, c.Where, judged, func(row summary.ServiceRow, _ scenarios.Level, e *Evidence) {
		e.Kind, e.Value = KindExhaustion, new(float64(row.Exhausted))
		if out := row.FirstExhausted; out != nil {
			note := fmt.Sprintf("median: after %.1[1]f s, at %[2]s %[3]d and %.1[4]f %[2]ss/s", out.At.Seconds(), row.Unit, out.Report, out.Rate)
			if out.Side != "" {
				note += ", first for " + out.Side
			}
			e.Notes = append(e.Notes, note)
		}
		if n := row.OutOfPorts; n > 0 {
			e.Notes = append(e.Notes, fmt.Sprintf("local ports ran out in %d of %d trials (EADDRNOTAVAIL); this does not count as running out of descriptors", n, row.Measured+total(row.NotOK)))
		}
		if c.Is == "never" {
			e.Kind = KindNoExhaustion
			*e.Value = float64(row.Measured - row.Exhausted)
		}
		decideBy(e, row, int(*e.Value))
	})
}

// judgeCause is proved if every trial shows the cause, refuted if no trial does
// although each shows some cause, and inconclusive otherwise.
func judgeCause(x *summary.Index, c scenarios.CauseClaim, judged *Claim) error {
	return eachService(x, c.Of, c.Where, judged, func(row summary.ServiceRow, _ scenarios.Level, e *Evidence) {
		shown := row.Causes[leak.Cause(c.Is)]
		if c.Is == string(leak.Leak) || c.Is == string(leak.Load) {
			shown += row.Causes[leak.Both]
		}
		e.Kind, e.Value = KindCause, new(float64(shown))
		if row.Detail != "" {
			e.Notes = append(e.Notes, row.Detail)
		}
		known := -row.Causes[leak.Undecided]
		for _, n := range row.Causes {
			known += n
		}
		if known < row.Measured {
			e.miss("the samples do not show it", row.Measured-known)
		}
		decideBy(e, row, shown)
	})
}

// decideBy decides by the number of trials that are as claimed.
func decideBy(e *Evidence, row summary.ServiceRow, asClaimed int) {
	e.N, e.Limit = row.Measured, new(float64(row.Measured))
	for _, outcome := range slices.Sorted(maps.Keys(row.NotOK)) {
		e.miss(outcome, row.NotOK[outcome])
	}
	e.miss("not run", row.Planned-row.Measured-total(row.NotOK))
	switch {
	case len(e.Missing) > 0 || e.N == 0:
	case asClaimed == e.N:
		e.Decision = verdict.Proved
	case asClaimed == 0:
		e.Decision = verdict.Refuted
	}
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// eachService judges the row of each variant at each selected level.
func eachService(x *summary.Index, of []string, where map[string]any, judged *Claim, judge func(summary.ServiceRow, scenarios.Level, *Evidence)) error {
	for _, variant := range of {
		for _, l := range x.LevelsOf(variant) {
			if !l.Selects(where) {
				continue
			}
			row, err := x.ServiceAt(variant, l)
			if err != nil {
				return err
			}
			e := Evidence{Variant: variant, Level: l.Name, Decision: verdict.Undecided}
			judge(row, l, &e)
			judged.Evidence = append(judged.Evidence, e)
		}
	}
	if len(judged.Evidence) == 0 {
		judged.Notes = append(judged.Notes, "no level matches "+strings.Join(of, ", "))
	}
	return nil
}
