package claims

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/noise"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// judgeAdaptation judges how limits adapt to the steps of the upstream. Convergence and
// overshoot are proved if every trial shows them after every step, refuted if no trial
// does, and inconclusive otherwise. Throughput and the 99th percentile are compared with
// those of the best fixed limit of the level, by pairs of trials in the same block.
func judgeAdaptation(x *summary.Index, c scenarios.AdaptationClaim, judged *Claim) (decided []comparison, err error) {
	for _, variant := range c.Of {
		for _, l := range x.LevelsOf(variant) {
			if !l.Selects(c.Where) {
				continue
			}
			if c.ConvergesWithin > 0 {
				judged.Evidence = append(judged.Evidence, converges(x, variant, l, time.Duration(c.ConvergesWithin)))
			}
			if c.Overshoot > 0 {
				judged.Evidence = append(judged.Evidence, overshoots(x, variant, l, c.Overshoot))
			}
			for _, ratio := range comparedRatios(c) {
				e, by, err := ratio.judge(x, variant, l)
				if err != nil {
					return nil, err
				}
				if by != nil {
					by.evidence = len(judged.Evidence)
					decided = append(decided, *by)
				}
				judged.Evidence = append(judged.Evidence, e)
			}
		}
	}
	if len(judged.Evidence) == 0 {
		judged.Notes = append(judged.Notes, "no level of the run matches")
	}
	return decided, nil
}

// steps returns the segments that begin with a step, or the whole trial if there is none.
func steps(l scenarios.Level) []summary.Segment {
	all := summary.Segments(l.Scenario)
	if len(all) > 1 {
		return all[1:]
	}
	return all
}

// eachStep counts the trials for which holds is true after every step.
func eachStep(x *summary.Index, kind, variant string, l scenarios.Level, holds func(step int, a summary.Adaptation) bool) Evidence {
	e := Evidence{Kind: kind, Variant: variant, Level: l.Name, Decision: verdict.Undecided}
	asClaimed, recorded := 0, 0
	for _, t := range x.Trials(variant, l.Name) {
		recorded++
		if t.Outcome != results.OutcomeOK {
			e.miss(t.Outcome, 1)
			continue
		}
		all, known := true, true
		for i, g := range steps(l) {
			a, ok := summary.Adapt(t.Series, g)
			known = known && ok
			all = ok && holds(i, a) && all
		}
		if !known {
			e.miss("too short after a step", 1)
			continue
		}
		e.N++
		if all {
			asClaimed++
		}
	}
	e.miss("not run", x.Blocks()-recorded)
	e.Value, e.Limit = new(float64(asClaimed)), new(float64(e.N))
	switch {
	case len(e.Missing) > 0 || e.N == 0:
	case asClaimed == e.N:
		e.Decision = verdict.Proved
	case asClaimed == 0:
		e.Decision = verdict.Refuted
	}
	return e
}

// converges judges the time from a step until the limit stays where it settles.
func converges(x *summary.Index, variant string, l scenarios.Level, within time.Duration) Evidence {
	var times, settled []float64
	never := 0
	e := eachStep(x, KindConvergence, variant, l, func(_ int, a summary.Adaptation) bool {
		settled = append(settled, a.Settled)
		if a.Converged == nil {
			never++
			return false
		}
		times = append(times, a.Converged.Seconds())
		return *a.Converged <= within
	})
	if len(times) > 0 {
		e.Notes = append(e.Notes, fmt.Sprintf("median %.1f s, slowest %.1f s (claimed: %v)", stats.Median(slices.Clone(times)), slices.Max(times), within))
	}
	if never > 0 {
		e.Notes = append(e.Notes, fmt.Sprintf("did not settle after %d of %d steps", never, never+len(times)))
	}
	if len(settled) > 0 {
		e.Notes = append(e.Notes, fmt.Sprintf("settled at %s in the median", rounded(stats.Median(settled))))
	}
	return e
}

// overshoots judges the highest limit after a step, as a multiple of the best fixed limit
// from that step on.
func overshoots(x *summary.Index, variant string, l scenarios.Level, most float64) Evidence {
	best := make([]float64, len(steps(l)))
	for i, g := range steps(l) {
		v, ok := x.BestFixedIn(l, g)
		if !ok {
			return Evidence{Kind: KindOvershoot, Variant: variant, Level: l.Name, Decision: verdict.Undecided, Value: new(0.0), Limit: new(0.0), Notes: []string{noBest}}
		}
		best[i] = float64(v.Limit)
	}
	var peaks []float64
	e := eachStep(x, KindOvershoot, variant, l, func(step int, a summary.Adaptation) bool {
		peaks = append(peaks, a.Peak/best[step])
		return a.Peak <= most*best[step]
	})
	if len(peaks) > 0 {
		e.Notes = append(e.Notes, fmt.Sprintf("median %.2g, highest %.2g times the best fixed limit (claimed: %g)", stats.Median(slices.Clone(peaks)), slices.Max(peaks), most))
	}
	return e
}

const noBest = "no trial with a fixed limit was measured"

// comparedRatio is a ratio to the best fixed limit that a claim bounds.
type comparedRatio struct {
	kind  string
	limit float64 // of the ratio
	of    func(t *results.Trial) float64
	// shown converts a ratio to the figure of the evidence.
	shown func(ratio float64) float64
}

// comparedRatios returns the ratios of a claim.
func comparedRatios(c scenarios.AdaptationClaim) []comparedRatio {
	var all []comparedRatio
	if c.ThroughputLost != nil {
		all = append(all, comparedRatio{
			KindThroughputLost, 1 / (1 - float64(*c.ThroughputLost)),
			func(t *results.Trial) float64 { return float64(t.Makespan) },
			func(ratio float64) float64 { return 1 - 1/ratio },
		})
	}
	if c.P99 > 0 {
		all = append(all, comparedRatio{
			KindP99, c.P99,
			func(t *results.Trial) float64 { return float64(t.Stages["item"].P99) },
			func(ratio float64) float64 { return ratio },
		})
	}
	return all
}

// judge compares a variant with the best fixed limit. It returns the comparison that
// decided; nil means that there was none.
func (r comparedRatio) judge(x *summary.Index, variant string, l scenarios.Level) (Evidence, *comparison, error) {
	e := Evidence{Kind: r.kind, Variant: variant, Level: l.Name, Limit: summary.Rounded(r.shown(r.limit)), Decision: verdict.Undecided}
	best, ok := x.BestFixed(l)
	if !ok {
		e.Notes = append(e.Notes, noBest)
		return e, nil, nil
	}
	e.Reference = best.Name
	logs, missing := r.pairs(x, variant, best.Name, l.Name)
	e.N, e.Missing = len(logs), missing
	paired, err := stats.Compare(logs, x.Confidence, x.Seed(r.kind, variant, best.Name, l.Name))
	if tooFew(&e, err) {
		return e, nil, nil
	} else if err != nil {
		return e, nil, err
	}
	ratio := paired.Exp()
	e.Value, e.Low, e.High = summary.Rounded(r.shown(ratio.Exact.Estimate)), summary.Rounded(r.shown(ratio.Exact.Low)), summary.Rounded(r.shown(ratio.Exact.High))
	switch ratio.Exact.Side(r.limit) {
	case -1:
		e.Decision = verdict.Proved
	case +1:
		e.Decision = verdict.Refuted
	}
	if ratio.Disagree(r.limit) {
		e.Notes = append(e.Notes, bootstrapNote)
	}
	by := &comparison{interval: paired.Exact, limit: math.Log(r.limit), pairs: noise.Pairs{
		Variant: variant, Reference: best.Name, Level: l.Name, LogRatios: logs, Seed: x.Seed("order", r.kind, variant, best.Name, l.Name),
	}}
	by.addSide(x, variant, l.Name, true)
	by.addSide(x, best.Name, l.Name, false)
	return e, by, nil
}

// pairs returns the logarithms of the ratio by block, of the blocks whose trials did the
// same work.
func (r comparedRatio) pairs(x *summary.Index, variant, best, level string) (logs []float64, missing []summary.Missing) {
	pairing := x.Pair(variant, best, level)
	values := func(name string) map[int]float64 {
		all := map[int]float64{}
		for _, t := range x.Trials(name, level) {
			all[t.Block] = r.of(t)
		}
		return all
	}
	of, base := values(variant), values(best)
	unknown := 0
	for _, block := range slices.Sorted(maps.Keys(pairing.LogRatios)) {
		if of[block] <= 0 || base[block] <= 0 {
			unknown++
			continue
		}
		logs = append(logs, math.Log(of[block])-math.Log(base[block]))
	}
	missing = pairing.Missing
	if unknown > 0 {
		missing = append(missing, summary.Missing{Why: "no histogram", Blocks: unknown})
	}
	return logs, missing
}
