package claims

import (
	"fmt"
	"math"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/scenarios"
)

// judgeTimeSeries is proved where in every trial all that is claimed to climb does
// and nothing that is claimed to be steady, refuted where that is so in none,
// and open between.
func judgeTimeSeries(x *summary.Index, c scenarios.TimeSeriesClaim, judged *Claim) error {
	var columns []results.Column
	for _, name := range slices.Concat(c.Climbs, c.Steady) {
		column, err := results.ParseColumn(name)
		if err != nil {
			return err
		}
		columns = append(columns, column)
	}
	return eachTrial(x, c.Of, c.Where, KindTimeSeries, judged, func(trials []summary.Served, e *Evidence) (held int) {
		changes := map[results.Column][]summary.Change{}
		for _, t := range trials {
			holds, known := true, true
			for i, column := range columns {
				change, ok := t.TimeSeries.Change(column)
				known = known && ok
				holds = holds && change.Climbs == (i < len(c.Climbs))
				changes[column] = append(changes[column], change)
			}
			switch {
			case !known:
				e.miss("too short to judge", 1)
			case holds:
				held++
			}
		}
		for _, column := range columns {
			e.Notes = append(e.Notes, went(column, changes[column]))
		}
		return held
	})
}

// went says how a column went on, in the median of the trials.
func went(column results.Column, changes []summary.Change) string {
	var from, to []float64
	for _, c := range changes {
		from, to = append(from, c.From), append(to, c.To)
	}
	if len(changes) == 0 {
		return column.String() + " unknown"
	}
	return fmt.Sprintf("%s %s → %s", column, rounded(stats.Median(from)), rounded(stats.Median(to)))
}

// rounded writes a count, with a unit of thousands where it is large.
func rounded(v float64) string {
	for _, unit := range []struct {
		per  float64
		sign string
	}{{1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if v >= unit.per {
			return fmt.Sprintf("%.0f%s", v/math.Min(unit.per, 1e3*math.Floor(unit.per/1e3)), unit.sign)
		}
	}
	return fmt.Sprintf("%.0f", v)
}

// judgePredictedExhaustion is proved where every trial ran out of descriptors when it was
// predicted, refuted where none did, and open between and where one never ran
// out or could not be predicted.
func judgePredictedExhaustion(x *summary.Index, c scenarios.PredictedExhaustionClaim, judged *Claim) error {
	return eachTrial(x, c.Of, c.Where, KindPredictedExhaustion, judged, func(trials []summary.Served, e *Evidence) (held int) {
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
			wrong := math.Abs(float64(at-out.At)) / float64(max(out.At, time.Millisecond))
			errs = append(errs, wrong)
			if wrong <= float64(c.Within) {
				held++
			}
		}
		if len(errs) > 0 {
			e.Notes = append(e.Notes, fmt.Sprintf("prediction error: median %.0f %%, maximum %.0f %%", 100*stats.Median(errs), 100*slices.Max(errs)))
		}
		return held
	})
}

// eachTrial judges the trials of each variant at each selected level that were
// measured; judge says in how many of them it is as claimed.
func eachTrial(x *summary.Index, of []string, where map[string]any, kind string, judged *Claim, judge func([]summary.Served, *Evidence) int) error {
	return eachService(x, of, where, judged, func(row summary.ServiceRow, l scenarios.Level, e *Evidence) {
		trials := slices.DeleteFunc(x.Served(row.Variant, l), func(t summary.Served) bool { return !t.Measured() || t.TimeSeries == nil })
		e.Kind = kind
		held := judge(trials, e)
		e.Value = new(float64(held))
		decideBy(e, row, held)
	})
}
