package claims

import (
	"floodgate/results/leak"
	"floodgate/results/summary"
	"floodgate/scenarios"
)

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
		e.miss(unseen, row.Unseen)
		e.miss("the samples do not show it", row.Measured-known-row.Unseen)
		decideBy(e, row, shown)
	})
}
