package report

import (
	"fmt"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/report/text"
	"floodgate/results/summary"
)

// tables writes a table a level, with columns of one width throughout.
func (p *printer) tables() {
	t, g := p.v.Table, p.tableGrid()
	dropped := g.Fit(p.Width)
	widths := g.Widths()
	for i, row := range t.Rows {
		if i == 0 || row.Level != t.Rows[i-1].Level {
			p.Line("")
			p.level(row.Level)
			p.Titles(g, widths)
		}
		p.Line(g.Line(g.Rows[i], widths))
		if i == len(t.Rows)-1 || row.Level != t.Rows[i+1].Level {
			p.remarks(row.Level)
		}
	}
	p.NotShown(dropped)
}

// tableGrid has a row for every row of the table; errors where there are any.
func (p *printer) tableGrid() *text.Grid {
	t := p.v.Table
	g := &text.Grid{Columns: []text.Column{
		{Title: "variant"},
		{Title: "n", Right: true},
		{Title: "makespan", Right: true},
		{Title: "reduction [95 %]", Right: true},
		{Title: "effic.", Right: true, Drop: 3},
		{Title: "item p50", Right: true, Drop: 4},
		{Title: "item p99", Right: true, Drop: 1},
		{Title: "peak FDs", Right: true},
		{Title: "errors", Right: true},
		{Title: "documents", Drop: 2},
	}}
	for _, row := range t.Rows {
		g.Add(p.cells(row, t.Baseline)...)
	}
	if slices.ContainsFunc(t.Rows, func(r summary.Row) bool { return r.Documents.Broken()+r.Documents.Unwritten > 0 }) {
		g.Columns[9].Drop = 0
	}
	if !slices.ContainsFunc(t.Rows, func(r summary.Row) bool { return r.ErrorCount() > 0 }) {
		g.Remove(8)
	}
	return g
}

func (p *printer) cells(r summary.Row, baseline string) []string {
	n := fmt.Sprint(r.OK)
	if r.OK < r.Planned {
		n = p.Paint(fmt.Sprintf("%d/%d", r.OK, r.Planned), doubt)
	}
	errs := fmt.Sprint(r.ErrorCount())
	if r.ErrorCount() > 0 {
		errs = p.Paint(text.Count(r.ErrorCount()), bad)
	}
	return []string{
		r.Variant, n, p.doubted(r, text.OrNone(r.Makespan, text.Duration)), reduction(r, baseline), p.doubted(r, text.OrNone(r.Efficiency, text.Percent)),
		text.OrNone(r.ItemP50, text.Duration), text.OrNone(r.ItemP99, text.Duration), p.peak(r), errs, p.documents(r),
	}
}

// doubted marks a figure of less work than that of the others.
func (p *printer) doubted(r summary.Row, cell string) string {
	if words := partial(r, cell); words != cell {
		return p.Paint(words, doubt)
	}
	return cell
}

func reduction(r summary.Row, baseline string) string {
	switch {
	case r.Variant == baseline:
		return "baseline"
	case r.Reduction == nil:
		return text.None
	case r.Reduction.Low == nil:
		return text.Percent(r.Reduction.Estimate) + " [too few]"
	}
	return fmt.Sprintf("%s [%s, %s]", text.Percent(r.Reduction.Estimate), text.Points(*r.Reduction.Low), text.Points(*r.Reduction.High))
}

// peak is shown beside its prediction.
func (p *printer) peak(r summary.Row) string {
	switch {
	case r.Peak == nil:
		return text.None
	case r.Exhausted > 0:
		return p.Paint(ofLimit(r), bad)
	case r.Predicted == 0:
		return text.Count(*r.Peak)
	case *r.Peak > r.Predicted:
		return p.Paint(fmt.Sprintf("%s > %s", text.Count(*r.Peak), text.Count(r.Predicted)), doubt)
	}
	return fmt.Sprintf("%s ≤ %s", text.Count(*r.Peak), text.Count(r.Predicted))
}

// ofLimit is the peak of a row that ran out of descriptors, and their limit.
func ofLimit(r summary.Row) string {
	peak := 0
	if r.Peak != nil {
		peak = *r.Peak
	}
	return fmt.Sprintf("%s of %s", text.Count(peak), text.Count(r.NoFile))
}

func (p *printer) documents(r summary.Row) string {
	d := r.Documents
	switch {
	case r.Checked == 0:
		return text.None
	case d.Broken() > 0:
		return p.Paint(broken(d), bad)
	case d.Unwritten > 0:
		return p.Paint(text.Count(d.Unwritten)+" unwritten", doubt)
	}
	word := "ok"
	if d.Unchecked {
		word = "there, unread"
	}
	switch {
	case r.Checked < r.Planned:
		return p.Paint(fmt.Sprintf("%s, %d/%d", word, r.Checked, r.Planned), doubt)
	case d.Unchecked:
		return p.Paint(word, doubt)
	}
	return word
}

// broken names the kinds that there are: "3 lost, 1 wrong".
func broken(d results.Documents) string {
	var parts []string
	for _, k := range []struct {
		n    int
		name string
	}{{d.Lost, "lost"}, {d.Duplicate, "duplicate"}, {d.Wrong, "wrong"}, {d.Foreign, "foreign"}} {
		if k.n > 0 {
			parts = append(parts, text.Count(k.n)+" "+k.name)
		}
	}
	words := strings.Join(parts, ", ")
	if d.Renamed > 0 { // else the sum of the parts
		words += fmt.Sprintf(" (%s in all)", text.Count(d.Broken()))
	}
	return words
}

// remarks say, below a level's table, which trials are missing and which errors there were.
func (p *printer) remarks(level string) {
	for _, r := range p.v.Table.Rows {
		if parts := rowRemarks(r); r.Level == level && len(parts) > 0 {
			p.Wrapped("  ", r.Variant+": "+strings.Join(parts, "; "), doubt)
		}
	}
}

// rowRemarks say of a row what its cells do not.
func rowRemarks(r summary.Row) []string {
	var parts []string
	recorded := r.OK
	for _, o := range r.Outcomes() {
		recorded += r.NotOK[o]
		parts = append(parts, text.Plural(r.NotOK[o], "trial", "trials")+" "+past(o))
	}
	if recorded < r.Planned {
		parts = append(parts, text.Plural(r.Planned-recorded, "trial", "trials")+" not run")
	}
	if r.Exhausted > 0 {
		parts = append(parts, fmt.Sprintf("%s descriptors (sut.nofile) in %s", ofLimit(r), text.Plural(r.Exhausted, "trial", "trials")))
	}
	if l := r.Leak; l != nil {
		parts = append(parts, fmt.Sprintf("leak: %.2g descriptors an item stayed open (%s with at most %s in flight)",
			l.PerItem, text.Count(l.Descriptors), text.Plural(l.InFlight, "request", "requests")))
	}
	if r.Left > 0 {
		parts = append(parts, "up to "+text.Plural(r.Left, "descriptor", "descriptors")+" left open")
	}
	if r.Partial > 0 {
		parts = append(parts, partialRemark(r))
	}
	if r.Overrun != nil {
		parts = append(parts, overrunRemark(r))
	}
	if r.HeldBack > 0 {
		parts = append(parts, heldBackRemark(r))
	}
	if r.Repeated > 0 {
		parts = append(parts, repeatedRemark(r.Repeated))
	}
	if n := r.ErrorCount(); n > 0 {
		parts = append(parts, "errors "+errorTypes(r.Errors))
	}
	return parts
}

// past is what became of a trial of that outcome.
func past(outcome string) string {
	if outcome == results.OutcomeTimeout {
		return "timed out"
	}
	return outcome
}

// errorTypes lists them, most first.
func errorTypes(counts map[string]int) string {
	var types []string
	for t := range counts {
		types = append(types, t)
	}
	slices.SortFunc(types, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	for i, t := range types {
		types[i] = fmt.Sprintf("%s × %s", t, text.Count(counts[t]))
	}
	return strings.Join(types, ", ")
}

// level is the head of a level's table.
func (p *printer) level(name string) {
	if label := p.v.Labels[name]; label != "" {
		p.Line(p.Bold(label))
		p.Wrapped("", name, faint)
		return
	}
	p.Line(p.Bold(name))
}
