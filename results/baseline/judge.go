package baseline

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// judge adds rows to a comparison.
type judge struct {
	c         *Comparison
	base, run *Baseline
	settings  results.Differences
	apart     bool // the run is merged from shards; see [results.Trial.Apart]
	primaries []primary
}

// primary is a makespan, which takes part in Holm's correction.
type primary struct {
	row      int
	interval func(level float64) (stats.Interval, error)
}

func (j *judge) add(r Row) int {
	j.c.Rows = append(j.c.Rows, r)
	return len(j.c.Rows) - 1
}

func row(metric string, c *Cell) Row {
	return Row{Metric: metric, Variant: c.Variant, Level: c.Level, Unit: unitOf(metric)}
}

// values returns the values in the order of their blocks.
func values(byBlock map[int]float64) []float64 {
	list := make([]float64, 0, len(byBlock))
	for _, block := range slices.Sorted(maps.Keys(byBlock)) {
		list = append(list, byBlock[block])
	}
	return list
}

// costs returns the costs of a series, as logarithms by block: higher is worse.
func costs(s perBlock, c *Cell) map[int]float64 {
	logs := map[int]float64{}
	for i, x := range *s.list(c) {
		logs[c.Blocks[i]] = math.Log(x)
		if s.rises {
			logs[c.Blocks[i]] *= -1
		}
	}
	return logs
}

func (j *judge) series(s perBlock, b, r *Cell) {
	old, now := *s.list(b), *s.list(r)
	if len(old) == 0 {
		return
	}
	row := row(s.metric, b)
	margin := j.c.ShareMargin
	if s.local() {
		margin, row.Advisory = j.c.Margin, !j.c.StrictTimes || s.stage
	}
	row.Baseline, row.Allowed, row.AtLeast = new(rounded(stats.Median(old))), 1+margin, s.rises
	row.Limit = new(*row.Baseline * row.Allowed)
	if s.rises {
		row.Limit = new(*row.Baseline / row.Allowed)
	}
	row.Limit = new(rounded(*row.Limit))
	if len(now) > 0 {
		row.Run = new(rounded(stats.Median(now)))
	}
	if !j.available(&row, r) {
		j.add(row)
		return
	}
	if j.incomparable(&row, s.of) {
		j.add(row)
		return
	}
	interval := j.effect(&row, b, r, costs(s, b), costs(s, r))
	i := j.add(row)
	if s.metric == MetricMakespan && row.Effect != nil {
		j.primaries = append(j.primaries, primary{i, interval})
	}
}

// incomparable reports whether the settings make the metrics of a row incomparable, and
// decides it.
func (j *judge) incomparable(row *Row, of results.Metrics) bool {
	why := j.settings.Breaking(of)
	if len(why) == 0 {
		return false
	}
	row.Decision, row.Why, row.Allowed, row.Limit, row.Advisory = verdict.NotComparable, strings.Join(why, "; "), 0, nil, false
	return true
}

func (j *judge) reduction(b, r *Cell) {
	if b.Reduction == nil {
		return
	}
	row := row(MetricReduction, b)
	row.Baseline, row.Allowed, row.AtLeast = new(b.Reduction.Estimate), 1+j.c.ShareMargin, true
	row.Limit = new(math.Round((1-(1-*row.Baseline)*row.Allowed)*1e4) / 1e4)
	if r.Reduction != nil {
		row.Run = new(r.Reduction.Estimate)
	}
	base, other := j.base.cell(j.base.Reference, b.Level), j.run.cell(j.run.Reference, r.Level)
	switch {
	case j.base.Reference != j.run.Reference:
		row.Decision, row.Allowed, row.Limit = verdict.NotComparable, 0, nil
		row.Why = fmt.Sprintf("the references differ: %s and %s", j.base.Reference, cmp.Or(j.run.Reference, "none"))
	case row.Run == nil && other != nil && other.untried():
		row.Decision, row.Why = verdict.Undecided, "no trial of "+other.Variant+" was measured"
	case j.available(&row, r):
		j.effect(&row, b, r, shares(b, base), shares(r, other))
	}
	j.add(row)
}

// available reports whether the run has a value; if not, it decides the row.
func (j *judge) available(row *Row, r *Cell) bool {
	switch {
	case row.Run != nil:
		return true
	case len(r.Blocks) == 0:
		row.Decision, row.Why = verdict.Undecided, "no trial of the run was measured"
	case j.apart && slices.Contains([]string{MetricMakespan, MetricEfficiency, MetricReduction}, row.Metric):
		row.Decision, row.Why = verdict.Undecided, results.WhyApart
	default:
		row.Decision, row.Why = verdict.Missing, "the run has no value"
	}
	return false
}

// effect sets the interval of the run's costs relative to the baseline's and the
// decision by it. It returns the interval as a function of the level.
func (j *judge) effect(row *Row, b, r *Cell, old, now map[int]float64) func(float64) (stats.Interval, error) {
	var interval func(level float64) (stats.Interval, error)
	if j.c.Paired {
		pairs, missing := paired(b, r, old, now, max(j.base.Blocks, j.run.Blocks))
		row.Missing = missing
		interval = func(level float64) (stats.Interval, error) { return stats.SignedRank(pairs, level) }
	} else {
		x, y := withoutFailures(b, old), withoutFailures(r, now)
		interval = func(level float64) (stats.Interval, error) { return stats.RankSum(x, y, level) }
	}
	i, err := interval(confidence)
	if err != nil {
		row.Decision, row.Why = verdict.Undecided, err.Error()
		if few := new(stats.TooFewError); errors.As(err, &few) {
			row.Why = few.Error() // the context of the error is obvious in the table
		}
		return interval
	}
	ratio := i.Exp()
	for _, v := range []*float64{&ratio.Estimate, &ratio.Low, &ratio.High, &ratio.Achieved} {
		*v = *summary.Rounded(*v)
	}
	row.Effect = &ratio
	switch side := i.Side(math.Log(row.Allowed)); {
	case side > 0:
		row.Decision = verdict.Worse
	case side == 0:
		row.Decision = verdict.Undecided
	case i.High < 0:
		row.Decision = verdict.Better
	default:
		row.Decision = verdict.Same
	}
	return interval
}

// paired returns the differences of the blocks that did the same work in both.
func paired(b, r *Cell, old, now map[int]float64, planned int) (pairs []float64, missing []summary.Missing) {
	unmeasured, otherWork := 0, 0
	for block := range planned {
		x, had := old[block]
		y, has := now[block]
		i, k := slices.Index(b.Blocks, block), slices.Index(r.Blocks, block)
		switch {
		case !had || !has:
			unmeasured++
		case failed(b, i) != failed(r, k):
			otherWork++
		default:
			pairs = append(pairs, y-x)
		}
	}
	if unmeasured > 0 {
		missing = append(missing, summary.Missing{Why: "not measured in both", Blocks: unmeasured})
	}
	if otherWork > 0 {
		missing = append(missing, summary.Missing{Why: "not the same work: different numbers of items failed", Blocks: otherWork})
	}
	return pairs, missing
}

// withoutFailures returns the values of the blocks in which no item failed.
func withoutFailures(c *Cell, logs map[int]float64) []float64 {
	clean := maps.Clone(logs)
	maps.DeleteFunc(clean, func(block int, _ float64) bool { return failed(c, slices.Index(c.Blocks, block)) > 0 })
	return values(clean)
}

// holm makes makespans inconclusive that are worse only without Holm's correction
// over all of them. The interval of the k-th most certain one is at the level
// 1 - 5 %/(m-k+1).
func (j *judge) holm() {
	m := len(j.primaries)
	j.c.Primaries = m
	open := slices.DeleteFunc(slices.Clone(j.primaries), func(p primary) bool { return j.c.Rows[p.row].Decision != verdict.Worse })
	for rejected := 0; ; rejected++ {
		level := 1 - (1-confidence)/float64(m-rejected)
		next := slices.IndexFunc(open, func(p primary) bool {
			i, err := p.interval(level)
			return err == nil && i.Side(math.Log(j.c.Rows[p.row].Allowed)) > 0
		})
		if next >= 0 {
			open = slices.Delete(open, next, next+1)
			continue
		}
		for _, p := range open {
			r := &j.c.Rows[p.row]
			r.Decision, r.Why = verdict.Undecided, fmt.Sprintf("above the limit on its own, but not after Holm's correction over %d makespans", m)
			_, err := p.interval(level)
			if few := new(stats.TooFewError); errors.As(err, &few) {
				r.Why += fmt.Sprintf(", which needs at least %[2]d blocks (got %[1]d)", few.N, few.Need)
			}
		}
		return
	}
}
