package baseline

import (
	"fmt"
	"math"

	"floodgate/results"
	"floodgate/results/verdict"
)

// counted compares counts with a hard limit, without a test.
func (j *judge) counted(r Row, old, now, limit int) {
	r.Baseline, r.Run, r.Limit = new(float64(old)), new(float64(now)), new(float64(limit))
	switch {
	case now > limit:
		r.Decision = verdict.Worse
	case now < old:
		r.Decision = verdict.Better
	default:
		r.Decision = verdict.Same
	}
	j.add(r)
}

// unmeasured adds a row for a count of a cell without measured trials.
func (j *judge) unmeasured(r Row, old int) {
	r.Baseline, r.Limit = new(float64(old)), new(float64(old))
	r.Decision, r.Why = verdict.Undecided, "no trial of the run was measured"
	j.add(r)
}

// missing adds a row for a count that the run does not have.
func (j *judge) missing(r Row, old, limit int, why string) {
	r.Baseline, r.Limit = new(float64(old)), new(float64(limit))
	r.Decision, r.Why = verdict.Missing, why
	j.add(r)
}

func (j *judge) peak(b, r *Cell) {
	if b.Peak == nil {
		return
	}
	limit := peakLimit(*b.Peak, b.Predicted)
	if r.Peak == nil && r.untried() {
		j.unmeasured(row(MetricPeak, b), limit)
		return
	}
	if r.Peak == nil {
		j.missing(row(MetricPeak, b), *b.Peak, limit, "descriptors of the run were not sampled")
		return
	}
	peak := row(MetricPeak, b)
	if peak.Baseline, peak.Run = new(float64(*b.Peak)), new(float64(*r.Peak)); j.incomparable(&peak, results.DescriptorCounts) {
		j.add(peak)
		return
	}
	j.counted(peak, *b.Peak, *r.Peak, limit)
}

// peakLimit returns the limit of a peak: 2 descriptors or 5 % above the baseline's
// peak, whichever is more. As the number of open connections depends on the timing
// of answers, it may be 10 or 15 % higher, up to the bound predicted for the variant.
func peakLimit(peak int, predicted *int) int {
	limit := peak + max(2, peak/20)
	if predicted != nil {
		limit = max(limit, min(*predicted, peak+max(10, peak*15/100)))
	}
	return limit
}

func (j *judge) leaked(b, r *Cell) {
	switch {
	case b.Leaked == nil:
	case r.Leaked == nil && r.untried():
		j.unmeasured(row(MetricLeaked, b), *b.Leaked)
	case r.Leaked == nil:
		j.missing(row(MetricLeaked, b), *b.Leaked, *b.Leaked, "no trial of the run was checked for leaks")
	default:
		j.counted(row(MetricLeaked, b), *b.Leaked, *r.Leaked, *b.Leaked)
	}
}

func (j *judge) unfinished(b, r *Cell) {
	if r.untried() {
		j.unmeasured(row(MetricUnfinished, b), b.Unfinished)
		return
	}
	j.counted(row(MetricUnfinished, b), b.Unfinished, r.Unfinished, b.Unfinished)
}

// errors compares errors by type: their number may exceed that of the baseline by
// [ErrorMargin], rounded down.
func (j *judge) errors(b, r *Cell) {
	if r.untried() && len(r.Errors) == 0 {
		j.unmeasured(row(MetricErrors, b), 0)
		return
	}
	had := map[string]int{}
	compare := func(name string, old, now int) {
		row := row(MetricErrors, b)
		row.Type = name
		limit := math.Floor(float64(old)/float64(j.base.Blocks)*float64(j.run.Blocks)*(1+ErrorMargin) + 1e-9)
		j.counted(row, old, now, int(limit))
	}
	for _, e := range b.Errors {
		had[e.Type] = e.Count
		compare(e.Type, e.Count, count(r.Errors, e.Type))
	}
	for _, e := range r.Errors {
		if had[e.Type] == 0 {
			compare(e.Type, 0, e.Count)
		}
	}
	if len(b.Errors)+len(r.Errors) == 0 {
		compare("", 0, 0)
	}
}

// untried reports whether the cell has no trial that was measured or that the
// program broke off.
func (c *Cell) untried() bool { return len(c.Blocks)+c.Unfinished == 0 }

func count(errs []Error, name string) int {
	for _, e := range errs {
		if e.Type == name {
			return e.Count
		}
	}
	return 0
}

// writes compares lost, duplicate and corrupt writes, of which a baseline has none.
func (j *judge) writes() {
	for _, m := range []struct {
		metric string
		n      func(w *Writes) int
		read   bool // requires that the content was compared
	}{
		{MetricLost, func(w *Writes) int { return w.Lost }, false},
		{MetricDuplicate, func(w *Writes) int { return w.Duplicate }, false},
		{MetricCorrupt, func(w *Writes) int { return w.Corrupt }, true},
	} {
		j.each(func(b, r *Cell) {
			switch {
			case b.Writes == nil || m.read && !b.Writes.Read:
			case r.Writes == nil && r.untried():
				j.unmeasured(row(m.metric, b), 0)
			case r.Writes == nil:
				j.missing(row(m.metric, b), 0, 0, "no write of the run was checked")
			case m.n(r.Writes) == 0 && m.read && !r.Writes.Read:
				j.missing(row(m.metric, b), 0, 0, "the writes of the run were counted but not read")
			case m.n(r.Writes) == 0 && r.Writes.Checked < min(b.Writes.Checked, j.run.Blocks):
				row := row(m.metric, b)
				row.Baseline, row.Run, row.Limit = new(0.0), new(0.0), new(0.0)
				row.Decision, row.Why = verdict.Undecided, fmt.Sprintf("checked in %d of %d trials of the run", r.Writes.Checked, j.run.Blocks)
				j.add(row)
			default:
				j.counted(row(m.metric, b), 0, m.n(r.Writes), 0)
			}
		})
	}
}
