package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"floodgate/results/baseline"
	"floodgate/results/report/content"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Baseline writes the comparison of a run with a baseline for a terminal: a table
// per metric with the limit beside each value, what could not be compared, and the
// verdict.
func Baseline(w io.Writer, v *baseline.Outcome, o text.Options) error {
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
		p.Wrapped("", "not in the baseline and not compared: "+strings.Join(c.Added, ", "), verdict.Doubt)
	}
	for _, words := range content.BaselineMovements(c) {
		p.Wrapped("", words, "")
	}
	p.Wrapped("", content.BaselineMethod(c), verdict.Faint)
	p.Wrapped("", c.Caution, verdict.Faint)
	p.Line("")
	p.baselineConclusion(v)
	return p.Flush(w, "comparison with a baseline")
}

// BaselineJSON writes the outcome with all its figures.
func BaselineJSON(w io.Writer, v *baseline.Outcome) error {
	return content.WriteJSON(w, v, "comparison with a baseline")
}

func (p *printer) baselineHead(v *baseline.Outcome) {
	c := v.Comparison
	name := v.Run.Scenario
	if v.Run.Quick {
		name += " (quick)"
	}
	p.Line(p.Bold(name + " compared with its baseline"))
	p.Wrapped("", fmt.Sprintf("baseline  %s: run %s of %s, revision %s", c.File, c.Source, c.Recorded, content.ShortRevision(c.Revision)), "")
	p.Wrapped("", fmt.Sprintf("run       %s, revision %s", c.Run, content.ShortRevision(v.Run.Machine.Revision)), "")
	if len(c.Machines) > 0 {
		p.Wrapped("", "the conditions differ: "+strings.Join(c.Machines, "; "), verdict.Doubt)
	}
	for _, d := range c.Differences {
		p.Wrapped("", d, verdict.Doubt)
	}
}

// baselineMetric writes the table of a metric, or one line if all its values are
// equal.
func (p *printer) baselineMetric(rows []baseline.Row) {
	if len(rows) == 0 {
		return
	}
	p.Line("")
	title := rows[0].Metric
	advisory := !slices.ContainsFunc(rows, func(r baseline.Row) bool { return !r.Advisory })
	if advisory {
		title += " (warning only)"
	}
	if first := rows[0]; len(rows) > 1 && !slices.ContainsFunc(rows, func(r baseline.Row) bool { return !alike(first, r) }) {
		p.Line(fmt.Sprintf("%s: %s → %s, limit %s: %s, for all %d variants and levels", p.Bold(title),
			content.BaselineValue(first.Baseline, first.Unit), content.BaselineValue(first.Run, first.Unit), content.BaselineLimit(first), p.rowDecision(first), len(rows)))
		return
	}
	p.Line(p.Bold(title))
	g := &text.Grid{Columns: []text.Column{
		{Title: "variant"}, {Title: "level"}, {Title: "baseline", Right: true}, {Title: "run", Right: true},
		{Title: "limit", Right: true}, {Title: "cost [95 %]", Right: true}, {Title: "verdict"},
	}}
	for _, r := range rows {
		g.Add(r.Variant, r.Level, content.BaselineValue(r.Baseline, r.Unit), content.BaselineValue(r.Run, r.Unit), content.BaselineLimit(r), content.BaselineCost(r), p.rowDecision(r)+warns(r, advisory))
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
		p.Wrapped("  ", r.Where()+": "+strings.Join(parts, "; "), verdict.Doubt)
	}
}

// alike combines equal rows of counts into one line.
func alike(a, b baseline.Row) bool {
	same := func(x, y *float64) bool { return x != nil && y != nil && *x == *y }
	return a.Effect == nil && b.Effect == nil && a.Why == "" && b.Why == "" && a.Type == b.Type && a.Decision == b.Decision &&
		same(a.Baseline, b.Baseline) && same(a.Run, b.Run) && same(a.Limit, b.Limit)
}

// warns marks a row that only warns in a table with rows that decide.
func warns(r baseline.Row, allDo bool) string {
	if r.Advisory && !allDo {
		return " (warning)"
	}
	return ""
}

func (p *printer) rowDecision(r baseline.Row) string {
	if r.Verdict() == verdict.Warned {
		return p.Paint(r.Decision.String(), verdict.Doubt)
	}
	return p.word(r.Decision)
}

// notComparable lists the metrics that are not comparable, grouped by the reason.
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
		p.Wrapped("", fmt.Sprintf("not comparable (%s): %s", why, strings.Join(names, ", ")), verdict.Doubt)
	}
}

func (p *printer) baselineConclusion(v *baseline.Outcome) {
	for _, claim := range v.Run.Claims {
		if !claim.AsExpected {
			p.Wrapped("", fmt.Sprintf("claim %s: %s, expected: %s", claim.ID, claim.Decision, claim.Expected), verdict.Doubt)
		}
	}
	for _, t := range v.Run.Thresholds {
		if t.Decision != verdict.Met {
			p.Wrapped("", fmt.Sprintf("threshold %s: %s", content.Rule(t.Threshold), t.Decision), verdict.Doubt)
		}
	}
	p.deciding(v.Comparison.Rows)
	p.Wrapped("", fmt.Sprintf("run: %s (exit code %d)", content.Tally(v.Run), v.Run.Exit), "")
	p.Wrapped("", fmt.Sprintf("comparison: %s (exit code %d)", content.BaselineSummary(v), v.Comparison.Exit), "")
	p.Line(fmt.Sprintf("%s (exit code %d)", p.concluded(v.Decision), v.Exit))
}

// maxDeciding is the maximum number of rows that are repeated at the end.
const maxDeciding = 10

// deciding lists the rows that determine the exit code: those that are worse or
// missing, or else inconclusive ones, with advice.
func (p *printer) deciding(rows []baseline.Row) {
	of := func(decision verdict.Decision) (some []baseline.Row) {
		for _, r := range rows {
			if r.Verdict() == decision {
				some = append(some, r)
			}
		}
		return some
	}
	decide, tone := of(verdict.Failed), verdict.Bad
	if len(decide) == 0 {
		decide, tone = of(verdict.Inconclusive), verdict.Doubt
	}
	for _, r := range decide[:min(len(decide), maxDeciding)] {
		words := fmt.Sprintf("%s: %s, %s", r.Decision, r.Where(), r.Metric)
		if r.Type != "" {
			words += " " + r.Type
		}
		if r.Why != "" {
			words += ": " + r.Why
		}
		p.Wrapped("", words, tone)
	}
	if more := len(decide) - maxDeciding; more > 0 {
		p.Wrapped("", fmt.Sprintf("and %s more", text.Count(more)), tone)
	}
	if len(decide) > 0 && tone == verdict.Doubt {
		p.Wrapped("", "to decide these, run more blocks, use a quieter machine, or raise --share-margin", verdict.Faint)
	}
}

// BaselineChanges writes the differences between a new baseline and the old one of
// the file; a nil old means that there was none.
func BaselineChanges(w io.Writer, file string, old, b *baseline.Baseline, o text.Options) error {
	p := newPrinter(o)
	changed, equal := baseline.Changes(old, b)
	p.Line(p.Bold(file))
	if old != nil {
		p.Wrapped("", fmt.Sprintf("was  run %s of %s, revision %s, %s", old.Run, old.Recorded, content.ShortRevision(old.Revision), old.Machine.CPU), "")
	}
	p.Wrapped("", fmt.Sprintf("is   run %s of %s, revision %s, %s", b.Run, b.Recorded, content.ShortRevision(b.Revision), b.Machine.CPU), "")
	g := &text.Grid{Columns: []text.Column{{Title: "metric"}, {Title: "variant"}, {Title: "level", Drop: 1}, {Title: "old", Right: true}, {Title: "new", Right: true}, {Title: "change", Right: true}}}
	for _, ch := range changed {
		by := ""
		if ch.Old != nil && ch.New != nil && *ch.Old != 0 {
			by = content.SignedPercent(*ch.New / *ch.Old - 1)
		}
		g.Add(strings.TrimSpace(ch.Metric+" "+ch.Type), ch.Variant, ch.Level, content.BaselineValue(ch.Old, ch.Unit), content.BaselineValue(ch.New, ch.Unit), by)
	}
	if len(changed) > 0 {
		p.Line("")
		g.Fit(p.Width)
		p.Table(g)
	}
	p.Line("")
	p.Line(fmt.Sprintf("%s changed, %d unchanged", text.Plural(len(changed), "value", "values"), equal))
	return p.Flush(w, "changes of a baseline")
}
