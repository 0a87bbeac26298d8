package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"floodgate/results/baseline"
	"floodgate/results/verdict"
)

// Baseline writes what a run is beside a stored baseline for a person: a table
// a metric with the limit beside each value, what could not be compared, and
// the verdict.
func Baseline(w io.Writer, v *baseline.Verdict, o Options) error {
	p := newPrinter(o)
	c := v.Comparison
	p.baselineHead(v)
	for from := 0; from < len(c.Rows); {
		to := from
		for to < len(c.Rows) && c.Rows[to].Metric == c.Rows[from].Metric {
			to++
		}
		p.baselineMetric(slices.DeleteFunc(slices.Clone(c.Rows[from:to]), func(r baseline.Row) bool { return r.Decision == verdict.NotComparable }))
		from = to
	}
	p.line("")
	p.notComparable(c.Rows)
	if len(c.Added) > 0 {
		p.wrapped("", "not in the baseline, so not compared: "+strings.Join(c.Added, ", "), doubt)
	}
	p.wrapped("", howGated(c), faint)
	p.wrapped("", c.Caution, faint)
	p.line("")
	p.baselineConclusion(v)
	if _, err := w.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("write comparison with a baseline: %w", err)
	}
	return nil
}

// BaselineJSON writes the verdict with all its figures.
func BaselineJSON(w io.Writer, v *baseline.Verdict) error {
	return writeJSON(w, v, "comparison with a baseline")
}

func newPrinter(o Options) *printer {
	if o.Width == 0 {
		o.Width = 100
	}
	return &printer{width: max(o.Width, 80), color: o.Color}
}

func (p *printer) baselineHead(v *baseline.Verdict) {
	c := v.Comparison
	name := v.Run.Scenario
	if v.Run.Quick {
		name += " (quick)"
	}
	p.line(p.bold(name + " against its baseline"))
	p.wrapped("", fmt.Sprintf("baseline  %s: run %s of %s, revision %s", c.File, c.Source, c.Recorded, short(c.Revision)), "")
	p.wrapped("", fmt.Sprintf("run       %s, revision %s", c.Run, short(v.Run.Machine.Revision)), "")
	if len(c.Machines) > 0 {
		p.wrapped("", "the machines differ: "+strings.Join(c.Machines, "; "), doubt)
	}
	for _, d := range c.Differences {
		p.wrapped("", d, doubt)
	}
}

func short(revision string) string { return revision[:min(12, len(revision))] }

// baselineMetric is the table of a metric, or a line where all of it is equal.
func (p *printer) baselineMetric(rows []baseline.Row) {
	if len(rows) == 0 {
		return
	}
	p.line("")
	title := rows[0].Metric
	advisory := !slices.ContainsFunc(rows, func(r baseline.Row) bool { return !r.Advisory })
	if advisory {
		title += " (warns, does not decide)"
	}
	if first := rows[0]; len(rows) > 1 && !slices.ContainsFunc(rows, func(r baseline.Row) bool { return !alike(first, r) }) {
		p.line(fmt.Sprintf("%s: %s → %s, limit %s: %s, in all %d places", p.bold(title),
			valueCell(first.Baseline, first.Unit), valueCell(first.Run, first.Unit), limitCell(first), p.rowDecision(first), len(rows)))
		return
	}
	p.line(p.bold(title))
	g := &grid{columns: []column{
		{title: "variant"}, {title: "level"}, {title: "baseline", right: true}, {title: "run", right: true},
		{title: "limit", right: true}, {title: "cost [95 %]", right: true}, {title: "verdict"},
	}}
	for _, r := range rows {
		g.add(r.Variant, r.Level, valueCell(r.Baseline, r.Unit), valueCell(r.Run, r.Unit), limitCell(r), effectCell(r), p.rowDecision(r)+warns(r, advisory))
	}
	if rows[0].Type != "" || slices.ContainsFunc(rows, func(r baseline.Row) bool { return r.Type != "" }) {
		for i, r := range rows {
			g.rows[i][5] = r.Type
		}
		g.columns[5] = column{title: "type"}
	} else if !slices.ContainsFunc(rows, func(r baseline.Row) bool { return r.Effect != nil }) {
		g.remove(5)
	}
	above := g.width() > p.width
	if above {
		g.remove(1)
		for i := range g.rows {
			g.rows[i][0] = " "
		}
		g.columns[0].title = " "
	}
	widths := g.widths()
	p.line(p.paint(g.line(g.titles(), widths), faint))
	for i, r := range rows {
		if above {
			p.wrapped("", r.Where(), "")
		}
		p.line(g.line(g.rows[i], widths))
	}
	for _, r := range rows {
		p.baselineRemark(r)
	}
}

func (p *printer) baselineRemark(r baseline.Row) {
	var parts []string
	if r.Why != "" {
		parts = append(parts, r.Why)
	}
	for _, m := range r.Missing {
		parts = append(parts, fmt.Sprintf("%s × %d", m.Why, m.Blocks))
	}
	if len(parts) > 0 {
		p.wrapped("  ", r.Where()+": "+strings.Join(parts, "; "), doubt)
	}
}

// alike rows of counts are one line.
func alike(a, b baseline.Row) bool {
	same := func(x, y *float64) bool { return x != nil && y != nil && *x == *y }
	return a.Effect == nil && b.Effect == nil && a.Why == "" && b.Why == "" && a.Type == b.Type && a.Decision == b.Decision &&
		same(a.Baseline, b.Baseline) && same(a.Run, b.Run) && same(a.Limit, b.Limit)
}

func valueCell(v *float64, unit string) string {
	if v == nil {
		return none
	}
	switch unit {
	case baseline.UnitMillis:
		return duration(time.Duration(*v * 1e6))
	case baseline.UnitShare:
		return percent(*v)
	case baseline.UnitMiB:
		return digits(*v) + " MiB"
	}
	if *v == float64(int(*v)) {
		return count(int(*v))
	}
	return digits(*v)
}

func limitCell(r baseline.Row) string {
	switch {
	case r.Limit == nil:
		return none
	case r.AtLeast:
		return "≥ " + valueCell(r.Limit, r.Unit)
	}
	return "≤ " + valueCell(r.Limit, r.Unit)
}

// effectCell has the limit of the cost beside it.
func effectCell(r baseline.Row) string {
	switch {
	case r.Effect == nil && r.Allowed == 0:
		return ""
	case r.Effect == nil:
		return none
	}
	return fmt.Sprintf("%s [%s, %s] ≤ %s", digits(r.Effect.Estimate), digits(r.Effect.Low), digits(r.Effect.High), digits(r.Allowed))
}

// warns marks a row that does not decide in a table whose others do.
func warns(r baseline.Row, allDo bool) string {
	if r.Advisory && !allDo {
		return " (warns)"
	}
	return ""
}

func (p *printer) rowDecision(r baseline.Row) string {
	if r.Verdict() == verdict.Warned {
		return p.paint(r.Decision.String(), doubt)
	}
	return p.word(r.Decision)
}

// notComparable lists the metrics by what stands in the way.
func (p *printer) notComparable(rows []baseline.Row) {
	var whys []string
	metrics := map[string][]string{}
	places := map[[2]string]int{}
	for _, r := range rows {
		if r.Decision != verdict.NotComparable {
			continue
		}
		if metrics[r.Why] == nil {
			whys = append(whys, r.Why)
		}
		if places[[2]string{r.Why, r.Metric}]++; !slices.Contains(metrics[r.Why], r.Metric) {
			metrics[r.Why] = append(metrics[r.Why], r.Metric)
		}
	}
	for _, why := range whys {
		names := slices.Clone(metrics[why])
		for i, m := range names {
			names[i] = fmt.Sprintf("%s × %d", m, places[[2]string{why, m}])
		}
		p.wrapped("", fmt.Sprintf("not comparable (%s): %s", why, strings.Join(names, ", ")), doubt)
	}
}

// howGated says what the verdicts mean.
func howGated(c *baseline.Comparison) string {
	how := "paired by block, both having made the same draws (signed-rank intervals, 95 %)"
	if !c.Paired {
		how = "unpaired, as they did not make the same draws (rank-sum intervals, 95 %)"
	}
	text := fmt.Sprintf("Cost: the run's over the baseline's, %s; of a reduction, of the time as a share of that one by one; of an efficiency, of the time over the ideal. Worse: the whole interval lies above the limit; inconclusive: a part of it. Counts have hard limits.", how)
	if c.Primaries > 0 {
		text += fmt.Sprintf(" Makespans after Holm's correction over %d.", c.Primaries)
	}
	return text
}

func (p *printer) baselineConclusion(v *baseline.Verdict) {
	for _, claim := range v.Run.Claims {
		if !claim.AsExpected {
			p.wrapped("", fmt.Sprintf("claim %s: %s, expected: %s", claim.ID, claim.Decision, claim.Expected), doubt)
		}
	}
	for _, t := range v.Run.Thresholds {
		if t.Decision != verdict.Met {
			p.wrapped("", fmt.Sprintf("threshold %s: %s", ruleOf(t.Threshold), t.Decision), doubt)
		}
	}
	p.deciding(v.Comparison.Rows)
	p.wrapped("", fmt.Sprintf("the run itself: %s (exit code %d)", judgedIn(v.Run), v.Run.Exit), "")
	p.wrapped("", fmt.Sprintf("the comparison: %s (exit code %d)", baselineSummary(v), v.Comparison.Exit), "")
	p.line(fmt.Sprintf("%s (exit code %d)", p.concluded(v.Decision), v.Exit))
}

// baselineSummary is what came out of the comparison.
func baselineSummary(v *baseline.Verdict) string {
	c := v.Comparison
	text := "of " + plural(len(c.Rows), "value", "values") + " " + counted(c.Counts)
	if c.Warned > 0 {
		text += fmt.Sprintf("; %s of the worse and inconclusive warn, and do not decide", count(c.Warned))
	}
	if len(c.Added) > 0 {
		text += "; some of the run is not in the baseline, and was not compared"
	}
	if c.Decision == verdict.NotMeasured {
		text = "nothing could be compared: " + text
	}
	return text
}
