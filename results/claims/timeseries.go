package claims

import (
	"fmt"
	"math"
	"slices"

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
	return eachTrial(x, c.Of, c.Where, KindTimeSeries, judged, func(trials []summary.ServiceTrial, e *Evidence) (asClaimed int) {
		changes := map[results.Column][]summary.Change{}
		for _, t := range trials {
			holds, known, why := true, true, "too short to judge"
			for i, column := range columns {
				change, ok := t.TimeSeries.Change(column)
				known = known && ok
				if !t.TimeSeries.Known(column) {
					why = column.String() + " is not measured"
				}
				holds = holds && change.Climbs == (i < len(c.Climbs))
				changes[column] = append(changes[column], change)
			}
			switch {
			case !known:
				e.miss(why, 1)
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
