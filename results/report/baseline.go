package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"floodgate/results/baseline"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
)

// Baseline writes what a run is beside a stored baseline for a person: a table
// a metric with the limit beside each value, what could not be compared, and
// the verdict.
func Baseline(w io.Writer, v *baseline.Verdict, o text.Options) error {
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
	p.Line("")
	p.notComparable(c.Rows)
	if len(c.Added) > 0 {
		p.Wrapped("", "not in the baseline, so not compared: "+strings.Join(c.Added, ", "), doubt)
	}
	p.Wrapped("", howGated(c), faint)
	p.Wrapped("", c.Caution, faint)
	p.Line("")
	p.baselineConclusion(v)
	return p.Flush(w, "comparison with a baseline")
}

// BaselineJSON writes the verdict with all its figures.
func BaselineJSON(w io.Writer, v *baseline.Verdict) error {
	return writeJSON(w, v, "comparison with a baseline")
}

func newPrinter(o text.Options) *printer {
	return &printer{Printer: text.NewPrinter(o, 80)}
}

func (p *printer) baselineHead(v *baseline.Verdict) {
	c := v.Comparison
	name := v.Run.Scenario
	if v.Run.Quick {
		name += " (quick)"
	}
	p.Line(p.Bold(name + " against its baseline"))
	p.Wrapped("", fmt.Sprintf("baseline  %s: run %s of %s, revision %s", c.File, c.Source, c.Recorded, short(c.Revision)), "")
	p.Wrapped("", fmt.Sprintf("run       %s, revision %s", c.Run, short(v.Run.Machine.Revision)), "")
	if len(c.Machines) > 0 {
		p.Wrapped("", "the machines differ: "+strings.Join(c.Machines, "; "), doubt)
	}
	for _, d := range c.Differences {
		p.Wrapped("", d, doubt)
	}
}

func short(revision string) string { return revision[:min(12, len(revision))] }

// baselineMetric is the table of a metric, or a line where all of it is equal.
func (p *printer) baselineMetric(rows []baseline.Row) {
	if len(rows) == 0 {
		return
	}
	p.Line("")
	title := rows[0].Metric
	advisory := !slices.ContainsFunc(rows, func(r baseline.Row) bool { return !r.Advisory })
	if advisory {
		title += " (warns, does not decide)"
	}
	if first := rows[0]; len(rows) > 1 && !slices.ContainsFunc(rows, func(r baseline.Row) bool { return !alike(first, r) }) {
		p.Line(fmt.Sprintf("%s: %s → %s, limit %s: %s, in all %d places", p.Bold(title),
			valueCell(first.Baseline, first.Unit), valueCell(first.Run, first.Unit), limitCell(first), p.rowDecision(first), len(rows)))
		return
	}
	p.Line(p.Bold(title))
	g := &text.Grid{Columns: []text.Column{
		{Title: "variant"}, {Title: "level"}, {Title: "baseline", Right: true}, {Title: "run", Right: true},
		{Title: "limit", Right: true}, {Title: "cost [95 %]", Right: true}, {Title: "verdict"},
	}}
	for _, r := range rows {
		g.Add(r.Variant, r.Level, valueCell(r.Baseline, r.Unit), valueCell(r.Run, r.Unit), limitCell(r), effectCell(r), p.rowDecision(r)+warns(r, advisory))
	}
	if rows[0].Type != "" || slices.ContainsFunc(rows, func(r baseline.Row) bool { return r.Type != "" }) {
		for i, r := range rows {
			g.Rows[i][5] = r.Type
		}
		g.Columns[5] = text.Column{Title: "type"}
	} else if !slices.ContainsFunc(rows, func(r baseline.Row) bool { return r.Effect != nil }) {
		g.Remove(5)
	}
	above := g.Width() > p.Width
	if above {
		g.Remove(1)
		for i := range g.Rows {
			g.Rows[i][0] = " "
		}
		g.Columns[0].Title = " "
	}
	widths := g.Widths()
	p.Titles(g, widths)
	for i, r := range rows {
		if above {
			p.Wrapped("", r.Where(), "")
		}
		p.Line(g.Line(g.Rows[i], widths))
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
		p.Wrapped("  ", r.Where()+": "+strings.Join(parts, "; "), doubt)
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
		return text.None
	}
	switch unit {
	case baseline.UnitMillis:
		return text.Duration(time.Duration(*v * 1e6))
	case baseline.UnitShare:
		return text.Percent(*v)
	case baseline.UnitMiB:
		return text.Digits(*v) + " MiB"
	}
	if *v == float64(int(*v)) {
		return text.Count(int(*v))
	}
	return text.Digits(*v)
}

func limitCell(r baseline.Row) string {
	switch {
	case r.Limit == nil:
		return text.None
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
		return text.None
	}
	return fmt.Sprintf("%s [%s, %s] ≤ %s", text.Digits(r.Effect.Estimate), text.Digits(r.Effect.Low), text.Digits(r.Effect.High), text.Digits(r.Allowed))
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
		return p.Paint(r.Decision.String(), doubt)
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
		p.Wrapped("", fmt.Sprintf("not comparable (%s): %s", why, strings.Join(names, ", ")), doubt)
	}
}

// howGated says what the verdicts mean.
func howGated(c *baseline.Comparison) string {
	how := "paired by block, both having made the same draws (signed-rank intervals, 95 %)"
	if !c.Paired {
		how = "unpaired, as they did not make the same draws (rank-sum intervals, 95 %)"
	}
	words := fmt.Sprintf("Cost: the run's over the baseline's, %s; of a reduction, of the time as a share of that one by one; of an efficiency, of the time over the ideal. Worse: the whole interval lies above the limit; inconclusive: a part of it. Counts have hard limits.", how)
	if c.Primaries > 0 {
		words += fmt.Sprintf(" Makespans after Holm's correction over %d.", c.Primaries)
	}
	return words
}

func (p *printer) baselineConclusion(v *baseline.Verdict) {
	for _, claim := range v.Run.Claims {
		if !claim.AsExpected {
			p.Wrapped("", fmt.Sprintf("claim %s: %s, expected: %s", claim.ID, claim.Decision, claim.Expected), doubt)
		}
	}
	for _, t := range v.Run.Thresholds {
		if t.Decision != verdict.Met {
			p.Wrapped("", fmt.Sprintf("threshold %s: %s", ruleOf(t.Threshold), t.Decision), doubt)
		}
	}
	p.deciding(v.Comparison.Rows)
	p.Wrapped("", fmt.Sprintf("the run itself: %s (exit code %d)", judgedIn(v.Run), v.Run.Exit), "")
	p.Wrapped("", fmt.Sprintf("the comparison: %s (exit code %d)", baselineSummary(v), v.Comparison.Exit), "")
	p.Line(fmt.Sprintf("%s (exit code %d)", p.concluded(v.Decision), v.Exit))
}

// baselineSummary is what came out of the comparison.
func baselineSummary(v *baseline.Verdict) string {
	c := v.Comparison
	words := "of " + text.Plural(len(c.Rows), "value", "values") + " " + counted(c.Counts)
	if c.Warned > 0 {
		words += fmt.Sprintf("; %s of the worse and inconclusive warn, and do not decide", text.Count(c.Warned))
	}
	if len(c.Added) > 0 {
		words += "; some of the run is not in the baseline, and was not compared"
	}
	if c.Decision == verdict.NotMeasured {
		words = "nothing could be compared: " + words
	}
	return words
}
