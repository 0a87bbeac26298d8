package claims

import (
	"cmp"
	"fmt"
	"slices"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// minBlocks is the smallest number of blocks for which "higher in every block" is
// significant: two-sided 2/2^6 = 3.1 %, by the sign test.
const minBlocks = 6

// judgeDescriptors judges the predicted bound, which is a hard budget without an
// interval, and growth.
func judgeDescriptors(x *summary.Index, c scenarios.DescriptorsClaim, judged *Claim) {
	for _, variant := range c.Within {
		for _, l := range x.LevelsOf(variant) {
			judged.Evidence = append(judged.Evidence, peakWithin(x, variant, l.Name))
		}
	}
	if len(c.Grows) == 0 {
		return
	}
	for _, variant := range c.Grows {
		series := sweeps(x.LevelsOf(variant), c.With)
		for _, s := range series {
			judged.Evidence = append(judged.Evidence, peakGrows(x, s, variant))
		}
		if len(series) == 0 {
			judged.Evidence = append(judged.Evidence, Evidence{
				Kind: KindPeakGrowth, Variant: variant, Decision: verdict.Undecided,
				Notes: []string{fmt.Sprintf("no two levels differ only in %s", cmp.Or(c.With, "items"))},
			})
		}
	}
}

// peakWithin is refuted by one peak above the prediction, and proved if every
// trial was sampled and stayed within it. A SUT that crashed or hung can refute,
// as its peak was real, but not prove, as it might have opened more.
func peakWithin(x *summary.Index, variant, level string) Evidence {
	e := Evidence{Kind: KindPeak, Variant: variant, Level: level, Decision: verdict.Undecided}
	gaps := make(gaps)
	exceeded := 0
	for _, t := range x.Trials(variant, level) {
		d := t.Descriptors
		peak, sampled := d.Highest()
		switch {
		case t.Outcome == results.OutcomeInvalid:
			e.miss("invalid", 1)
			continue
		case t.Outcome == results.OutcomeFailed:
			gaps["could not be measured"]++
			continue
		case !sampled:
			gaps["descriptors not sampled"]++
			continue
		case d.Predicted == 0:
			gaps["no prediction"]++
		case peak > d.Predicted, slices.ContainsFunc(t.Hosts, abovePrediction):
			exceeded++
		case t.Outcome != results.OutcomeOK:
			gaps[t.Outcome]++
		}
		e.N++
		if e.Value == nil || float64(peak) > *e.Value {
			e.Value = new(float64(peak))
		}
		if d.Predicted > 0 && (e.Limit == nil || float64(d.Predicted) < *e.Limit) {
			e.Limit = new(float64(d.Predicted))
		}
	}
	gaps["not run"] += x.Blocks() - len(x.Trials(variant, level))
	e.missAll(gaps)
	switch {
	case exceeded > 0:
		e.Decision = verdict.Refuted
		e.Notes = append(e.Notes, fmt.Sprintf("above the prediction in %d of %d trials", exceeded, e.N))
	case gaps.total() == 0 && e.N > 0:
		e.Decision = verdict.Proved
	}
	return e
}

// abovePrediction reports whether a host had more descriptors than predicted for it, which
// may be fewer than for the host with the highest peak.
func abovePrediction(h results.Host) bool {
	peak, sampled := h.Descriptors.Highest()
	return sampled && h.Descriptors.Predicted > 0 && peak > h.Descriptors.Predicted
}

// peakGrows is proved if the last level's peak is above the first's in every
// block and the medians never fall in between, and refuted if it is above in no
// block.
func peakGrows(x *summary.Index, s sweep, variant string) Evidence {
	e := Evidence{
		Kind: KindPeakGrowth, Variant: variant, Level: s.common, Decision: verdict.Undecided,
		FromLevel: s.setting(s.first()), ToLevel: s.setting(s.last()),
	}
	gaps := make(gaps)
	peaks := make([]map[int]float64, len(s.levels)) // by level and block
	medians := make([]float64, len(s.levels))
	for i, l := range s.levels {
		peaks[i] = peaksByBlock(x.Trials(variant, l.Name), gaps)
		gaps["not run"] += x.Blocks() - len(x.Trials(variant, l.Name))
		var all []float64
		for _, p := range peaks[i] {
			all = append(all, p)
		}
		medians[i] = stats.Median(all)
		if len(all) == 0 {
			gaps["no peak at "+s.setting(l)]++
		}
	}
	higher := 0
	for block, first := range peaks[0] {
		if last, ok := peaks[len(peaks)-1][block]; ok {
			e.N++
			if last > first {
				higher++
			}
		}
	}
	e.missAll(gaps)
	if e.N == 0 {
		return e
	}
	e.From, e.To = &medians[0], &medians[len(medians)-1]
	e.Value, e.Limit = new(float64(higher)), new(float64(e.N))
	switch {
	case e.N < minBlocks:
		e.Notes = append(e.Notes, (&stats.TooFewError{N: e.N, Need: minBlocks, Level: summary.Confidence}).Error())
	case higher == 0:
		e.Decision = verdict.Refuted
	case higher < e.N:
	case !slices.IsSorted(medians):
		e.Notes = append(e.Notes, fmt.Sprintf("the medians do not rise with every step: %v", medians))
	default:
		e.Decision = verdict.Proved
	}
	return e
}

func peaksByBlock(trials []*results.Trial, gaps gaps) map[int]float64 {
	peaks := make(map[int]float64)
	for _, t := range trials {
		peak, sampled := t.Descriptors.Highest()
		switch {
		case t.Outcome != results.OutcomeOK:
			gaps[t.Outcome]++
		case !sampled:
			gaps["descriptors not sampled"]++
		default:
			peaks[t.Block] = float64(peak)
		}
	}
	return peaks
}
