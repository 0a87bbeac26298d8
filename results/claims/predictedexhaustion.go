package claims

import (
	"fmt"
	"math"
	"slices"
	"time"

	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/scenarios"
)

// judgePredictedExhaustion is proved if every trial ran out of descriptors at the
// predicted time, and refuted if none did. It is inconclusive in between, or if a
// trial never ran out or could not be predicted.
func judgePredictedExhaustion(x *summary.Index, c scenarios.PredictedExhaustionClaim, judged *Claim) error {
	return eachTrial(x, c.Of, c.Where, KindPredictedExhaustion, judged, func(trials []summary.ServiceTrial, e *Evidence) (asClaimed int) {
		var errs []float64
		for _, t := range trials {
			out := t.TimeSeries.Exhausted
			if out == nil {
				e.miss("never ran out", 1)
				continue
			}
			at, ok := t.TimeSeries.PredictExhaustion(t.NoFile, t.Seed)
			if !ok {
				e.miss("the samples do not show when", 1)
				continue
			}
			relative := math.Abs(float64(at-out.At)) / float64(max(out.At, time.Millisecond))
			errs = append(errs, relative)
			if relative <= float64(c.Within) {
				asClaimed++
			}
		}
		if len(errs) > 0 {
			e.Notes = append(e.Notes, fmt.Sprintf("prediction error: median %.0f %%, maximum %.0f %%", 100*stats.Median(errs), 100*slices.Max(errs)))
		}
		return asClaimed
	})
}
