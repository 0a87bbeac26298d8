package claims

import (
	"fmt"

	"floodgate/results/summary"
	"floodgate/scenarios"
)

// unseen is why a trial shows nothing about descriptors.
const unseen = "descriptors are not seen on another machine"

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
		e.miss(unseen, row.Unseen)
		decideBy(e, row, int(*e.Value))
	})
}
