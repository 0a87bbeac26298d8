package claims

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"floodgate/results/noise"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// saturation is the smallest change of the reduction that counts: one point.
const saturation = 0.01

// sweep is a series of levels that differ in one factor only, in ascending order.
type sweep struct {
	with   string // the factor
	common string // the other factors, "" if nothing else varies
	levels []scenarios.Level
}

// sweeps splits the levels into one sweep for every combination of the other
// factors. Combinations with only one level are omitted.
func sweeps(levels []scenarios.Level, with string) []sweep {
	with = cmp.Or(with, "items")
	var all []sweep
	for _, l := range levels {
		if _, ok := l.Number(with); !ok {
			continue
		}
		common := commonFactors(l, with)
		i := slices.IndexFunc(all, func(s sweep) bool { return s.common == common })
		if i < 0 {
			all, i = append(all, sweep{with: with, common: common}), len(all)
		}
		all[i].levels = append(all[i].levels, l)
	}
	all = slices.DeleteFunc(all, func(s sweep) bool { return len(s.levels) < 2 })
	for _, s := range all {
		slices.SortStableFunc(s.levels, func(a, b scenarios.Level) int {
			x, _ := a.Number(with)
			y, _ := b.Number(with)
			return cmp.Compare(x, y)
		})
	}
	return all
}

func commonFactors(l scenarios.Level, with string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(l.Factors)) {
		if name != with {
			parts = append(parts, fmt.Sprintf("%s=%v", name, l.Factors[name]))
		}
	}
	return strings.Join(parts, " ")
}

func (s sweep) setting(l scenarios.Level) string {
	v, _ := l.Value(s.with)
	return fmt.Sprintf("%s=%v", s.with, v)
}

func (s sweep) first() scenarios.Level { return s.levels[0] }
func (s sweep) last() scenarios.Level  { return s.levels[len(s.levels)-1] }

// judgeGrowth compares the smallest level with the largest: the claim is proved
// if the interval of the difference of their log-ratios, paired by block, lies
// above 0, and refuted if it lies at or below. The steps in between do not decide.
func judgeGrowth(x *summary.Index, c scenarios.GrowthClaim, judged *Claim) (decided []comparison, err error) {
	selected := slices.DeleteFunc(x.LevelsOf(append(slices.Clone(c.Of), c.Reference)...), func(l scenarios.Level) bool { return !l.Selects(c.Where) })
	for _, s := range sweeps(selected, c.With) {
		for _, variant := range c.Of {
			by, err := judgeSweep(x, s, variant, c.Reference, judged)
			if err != nil {
				return nil, err
			}
			if by != nil {
				decided = append(decided, *by)
			}
		}
	}
	if len(judged.Evidence) == 0 {
		judged.Notes = append(judged.Notes, fmt.Sprintf("no two levels differ only in %s", cmp.Or(c.With, "items")))
	}
	return decided, nil
}

// judgeSweep returns the comparison that decided; nil means too few blocks.
func judgeSweep(x *summary.Index, s sweep, variant, against string, judged *Claim) (*comparison, error) {
	whole, gain, gains, err := growth(x, s, variant, against, s.first(), s.last())
	if err != nil {
		return nil, err
	}
	whole.Decision = verdict.Undecided
	switch {
	case gain == nil:
	case gain.Exact.Side(0) > 0:
		whole.Decision = verdict.Proved
	case gain.Exact.Side(0) < 0:
		whole.Decision = verdict.Refuted
	}
	if gain != nil && gain.Disagree(0) {
		whole.Notes = append(whole.Notes, bootstrapNote)
	}
	var steps []Evidence
	for i := 1; i < len(s.levels) && len(s.levels) > 2; i++ {
		step, _, _, err := growth(x, s, variant, against, s.levels[i-1], s.levels[i])
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	if n := len(steps); n > 0 && whole.Decision == verdict.Proved {
		whole.Notes = append(whole.Notes, saturated(steps[n-1])...)
	}
	var by *comparison
	if gain != nil {
		from, to := s.first().Name, s.last().Name
		by = &comparison{evidence: len(judged.Evidence), interval: gain.Exact, pairs: noise.Pairs{
			Variant: variant, Reference: against, Level: from + " … " + to,
			LogRatios: gains, Seed: x.Seed("order", variant, against, from, to),
		}}
		by.addSide(x, variant, from, true)
		by.addSide(x, against, from, false)
		by.addSide(x, variant, to, false)
		by.addSide(x, against, to, true)
	}
	judged.Evidence = append(append(judged.Evidence, whole), steps...)
	return by, nil
}

func saturated(last Evidence) []string {
	if last.From == nil || last.To == nil || *last.To-*last.From >= saturation {
		return nil
	}
	return []string{fmt.Sprintf("saturated: from %s to %s the reduction changes by %+.1f points",
		last.FromLevel, last.ToLevel, 100*(*last.To-*last.From))}
}

// growth compares two levels by the gains of their blocks. It returns a nil gain
// if there are too few blocks.
func growth(x *summary.Index, s sweep, variant, against string, from, to scenarios.Level) (Evidence, *stats.Paired, []float64, error) {
	low, high := x.Pair(variant, against, from.Name), x.Pair(variant, against, to.Name)
	var gains, ratiosFrom, ratiosTo []float64
	for _, block := range slices.Sorted(maps.Keys(low.LogRatios)) {
		after, ok := high.LogRatios[block]
		if !ok {
			continue
		}
		gains = append(gains, low.LogRatios[block]-after)
		ratiosFrom, ratiosTo = append(ratiosFrom, low.LogRatios[block]), append(ratiosTo, after)
	}
	e := Evidence{
		Kind: KindGrowth, Variant: variant, Reference: against, Level: s.common,
		FromLevel: s.setting(from), ToLevel: s.setting(to), Limit: new(1.0), N: len(gains),
		Missing: append(at(s.setting(from), low.Missing), at(s.setting(to), high.Missing)...),
	}
	if len(gains) > 0 {
		e.From = summary.Rounded(1 - math.Exp(stats.HodgesLehmann(ratiosFrom)))
		e.To = summary.Rounded(1 - math.Exp(stats.HodgesLehmann(ratiosTo)))
	}
	gain, err := stats.Compare(gains, x.Confidence, x.Seed(variant, against, from.Name, to.Name))
	if tooFew(&e, err) {
		return e, nil, nil, nil
	} else if err != nil {
		return e, nil, nil, err
	}
	factor := gain.Exact.Exp()
	e.Value, e.Low, e.High = summary.Rounded(factor.Estimate), summary.Rounded(factor.Low), summary.Rounded(factor.High)
	return e, &gain, gains, nil
}

// at adds the level to the reasons of missing blocks.
func at(level string, missing []summary.Missing) []summary.Missing {
	var list []summary.Missing
	for _, m := range missing {
		list = append(list, summary.Missing{Why: m.Why + " at " + level, Blocks: m.Blocks})
	}
	return list
}
