package claims

import (
	"maps"
	"slices"
	"strings"

	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

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

// eachTrial judges the measured trials of each variant at each selected level;
// judge returns the number of trials that are as claimed.
func eachTrial(x *summary.Index, of []string, where map[string]any, kind string, judged *Claim, judge func([]summary.ServiceTrial, *Evidence) int) error {
	return eachService(x, of, where, judged, func(row summary.ServiceRow, l scenarios.Level, e *Evidence) {
		trials := slices.DeleteFunc(x.ServiceTrials(row.Variant, l), func(t summary.ServiceTrial) bool { return !t.Measured() || t.TimeSeries == nil })
		e.Kind = kind
		asClaimed := judge(trials, e)
		e.Value = new(float64(asClaimed))
		decideBy(e, row, asClaimed)
	})
}
