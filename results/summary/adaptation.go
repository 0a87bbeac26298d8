package summary

import (
	"cmp"
	"math"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// Segment is the part of a trial between two steps of the upstream's behavior.
type Segment struct {
	// From and To count from the start of the work. To is zero for the last segment, which
	// ends with the trial.
	From, To time.Duration
}

// Segments returns the segments of a scenario, by the phases of its upstream: at least one.
func Segments(s *scenarios.Scenario) []Segment {
	all := []Segment{{}}
	for _, p := range s.Upstream.Phases {
		if at := time.Duration(p.After); at > 0 {
			all[len(all)-1].To = at
			all = append(all, Segment{From: at})
		}
	}
	return all
}

// minSegment is the least number of samples in a segment that shows how a limit adapts.
const minSegment = 8

// settledBand is the share of the settled limit within which a limit has converged.
const settledBand = 0.25

// Adaptation describes how a limit adapted in a segment of a trial.
type Adaptation struct {
	// Settled is the median of the limit in the second half of the segment.
	Settled float64
	// Converged is the time from the start of the segment until the limit stays within 25 %
	// (at least one slot) of Settled; nil means that it left that band in the second half.
	Converged *time.Duration
	// Peak is the highest limit since it first reached Settled.
	Peak float64
}

// span returns the samples of a segment: from the first to before the second.
func (g Segment) span(s *results.Series) (from, to int) {
	from, _ = slices.BinarySearch(s.At, g.From.Milliseconds())
	if to = len(s.At); g.To > 0 {
		to, _ = slices.BinarySearch(s.At, g.To.Milliseconds())
	}
	return from, to
}

// Adapt describes how the limit of a series adapted in a segment. It returns false if the
// series has no limit, or fewer than eight samples in the segment.
func Adapt(s *results.Series, g Segment) (Adaptation, bool) {
	if s == nil {
		return Adaptation{}, false
	}
	from, to := g.span(s)
	if to-from < minSegment || !s.Known(results.ColumnSlotLimit, to-1) {
		return Adaptation{}, false
	}
	limits := make([]float64, to-from)
	for i := range limits {
		limits[i] = float64(s.Value(results.ColumnSlotLimit, from+i))
	}
	half := len(limits) / 2
	a := Adaptation{Settled: stats.Median(slices.Clone(limits[half:]))}
	band := max(settledBand*a.Settled, 1)
	outside := -1
	for i, l := range limits {
		if math.Abs(l-a.Settled) > band {
			outside = i
		}
	}
	if outside < half {
		a.Converged = new(max(s.Time(from+outside+1)-g.From, 0))
	}
	reached := slices.IndexFunc(limits, func(l float64) bool {
		return l == a.Settled || l > a.Settled == (limits[0] < a.Settled)
	})
	a.Peak = slices.Max(limits[max(reached, 0):])
	return a, true
}

// Fixed returns the variants that have a fixed limit of slots, to which adaptive ones are
// compared, at a level.
func (x *Index) Fixed(l scenarios.Level) []scenarios.Variant {
	var fixed []scenarios.Variant
	for _, v := range x.Scenario.Variants {
		if v.Strategy == pipeline.KindBounded && v.RunsAt(l) {
			fixed = append(fixed, v)
		}
	}
	slices.SortStableFunc(fixed, func(a, b scenarios.Variant) int { return cmp.Compare(a.Limit, b.Limit) })
	return fixed
}

// enough is the share of the highest throughput that the best fixed limit has at least, as
// that which a plan recommends.
const enough = 0.95

// BestFixed returns the best fixed limit at a level: the smallest one with at least 95 % of
// the highest throughput of all, each the median of its measured trials. It returns false
// if none was measured.
func (x *Index) BestFixed(l scenarios.Level) (scenarios.Variant, bool) {
	return x.best(l, func(t *results.Trial) float64 { return float64(t.Items) / t.Makespan.Seconds() })
}

// BestFixedIn returns the best fixed limit in a segment, by the items that were done in it.
func (x *Index) BestFixedIn(l scenarios.Level, g Segment) (scenarios.Variant, bool) {
	return x.best(l, func(t *results.Trial) float64 {
		if t.Series == nil {
			return 0
		}
		from, to := g.span(t.Series)
		if to-from < minSegment {
			return 0
		}
		done := t.Series.Value(results.ColumnDone, to-1) - t.Series.Value(results.ColumnDone, from)
		return float64(done) / (t.Series.Time(to-1) - t.Series.Time(from)).Seconds()
	})
}

// best returns the best fixed limit by the throughput of its trials; zero means unknown.
func (x *Index) best(l scenarios.Level, throughput func(*results.Trial) float64) (scenarios.Variant, bool) {
	fixed := x.Fixed(l)
	medians, highest := make([]float64, len(fixed)), 0.0
	for i, v := range fixed {
		var known []float64
		for _, t := range x.Trials(v.Name, l.Name) {
			if t.Outcome == results.OutcomeOK && t.Makespan > 0 {
				if rate := throughput(t); rate > 0 {
					known = append(known, rate)
				}
			}
		}
		if len(known) > 0 {
			medians[i] = stats.Median(known)
			highest = max(highest, medians[i])
		}
	}
	i := slices.IndexFunc(medians, func(m float64) bool { return m > 0 && m >= enough*highest })
	if i < 0 {
		return scenarios.Variant{}, false
	}
	return fixed[i], true
}
