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

// judgeTimeSeries is proved if, in every trial, all columns of Climbs climb and
// those of Steady do not, refuted if that is true of no trial, and inconclusive
// otherwise.
func judgeTimeSeries(x *summary.Index, c scenarios.TimeSeriesClaim, judged *Claim) error {
	var columns []results.Column
	for _, name := range slices.Concat(c.Climbs, c.Steady) {
		column, err := results.ParseColumn(name)
		if err != nil {
			return err
		}
		columns = append(columns, column)
	}
	return eachTrial(x, c.Of, c.Where, KindTimeSeries, judged, func(trials []summary.Served, e *Evidence) (asClaimed int) {
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
				asClaimed++
			}
		}
		for _, column := range columns {
			e.Notes = append(e.Notes, medianChange(column, changes[column]))
		}
		return asClaimed
	})
}

// medianChange describes the change of a column, in the median of the trials.
func medianChange(column results.Column, changes []summary.Change) string {
	var from, to []float64
	for _, c := range changes {
		from, to = append(from, c.From), append(to, c.To)
	}
	if len(changes) == 0 {
		return column.String() + " unknown"
	}
	return fmt.Sprintf("%s %s → %s", column, rounded(stats.Median(from)), rounded(stats.Median(to)))
}

// rounded formats a count, with a unit prefix if it is large.
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

// judgePredictedExhaustion is proved if every trial ran out of descriptors at the
// predicted time, and refuted if none did. It is inconclusive in between, or if a
// trial never ran out or could not be predicted.
func judgePredictedExhaustion(x *summary.Index, c scenarios.PredictedExhaustionClaim, judged *Claim) error {
	return eachTrial(x, c.Of, c.Where, KindPredictedExhaustion, judged, func(trials []summary.Served, e *Evidence) (asClaimed int) {
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

// eachTrial judges the measured trials of each variant at each selected level;
// judge returns the number of trials that are as claimed.
func eachTrial(x *summary.Index, of []string, where map[string]any, kind string, judged *Claim, judge func([]summary.Served, *Evidence) int) error {
	return eachService(x, of, where, judged, func(row summary.ServiceRow, l scenarios.Level, e *Evidence) {
		trials := slices.DeleteFunc(x.Served(row.Variant, l), func(t summary.Served) bool { return !t.Measured() || t.TimeSeries == nil })
		e.Kind = kind
		asClaimed := judge(trials, e)
		e.Value = new(float64(asClaimed))
		decideBy(e, row, asClaimed)
	})
}
