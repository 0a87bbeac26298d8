package report

import (
	"fmt"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/summary"
)

// tables writes a table a level, with columns of one width throughout.
func (p *printer) tables() {
	t, g := p.v.Table, p.tableGrid()
	dropped := g.fit(p.width)
	widths := g.widths()
	for i, row := range t.Rows {
		if i == 0 || row.Level != t.Rows[i-1].Level {
			p.line("")
			p.level(row.Level)
			p.line(p.paint(g.line(g.titles(), widths), faint))
		}
		p.line(g.line(g.rows[i], widths))
		if i == len(t.Rows)-1 || row.Level != t.Rows[i+1].Level {
			p.remarks(row.Level)
		}
	}
	if len(dropped) > 0 {
		p.wrapped("", "not shown, for want of width: "+strings.Join(dropped, ", "), faint)
	}
}

// tableGrid has a row for every row of the table; errors where there are any.
func (p *printer) tableGrid() *grid {
	t := p.v.Table
	g := &grid{columns: []column{
		{title: "variant"},
		{title: "n", right: true},
		{title: "makespan", right: true},
		{title: "reduction [95 %]", right: true},
		{title: "effic.", right: true, drop: 3},
		{title: "item p50", right: true, drop: 4},
		{title: "item p99", right: true, drop: 1},
		{title: "peak FDs", right: true},
		{title: "errors", right: true},
		{title: "documents", drop: 2},
	}}
	for _, row := range t.Rows {
		g.add(p.cells(row, t.Baseline)...)
	}
	if slices.ContainsFunc(t.Rows, func(r summary.Row) bool { return r.Documents.Broken()+r.Documents.Unwritten > 0 }) {
		g.columns[9].drop = 0
	}
	if !slices.ContainsFunc(t.Rows, func(r summary.Row) bool { return r.ErrorCount() > 0 }) {
		g.remove(8)
	}
	return g
}

func (p *printer) cells(r summary.Row, baseline string) []string {
	n := fmt.Sprint(r.OK)
	if r.OK < r.Planned {
		n = p.paint(fmt.Sprintf("%d/%d", r.OK, r.Planned), doubt)
	}
	errs := fmt.Sprint(r.ErrorCount())
	if r.ErrorCount() > 0 {
		errs = p.paint(count(r.ErrorCount()), bad)
	}
	return []string{
		r.Variant, n, p.doubted(r, orNone(r.Makespan, duration)), reduction(r, baseline), p.doubted(r, orNone(r.Efficiency, percent)),
		orNone(r.ItemP50, duration), orNone(r.ItemP99, duration), p.peak(r), errs, p.documents(r),
	}
}

// doubted marks a figure of less work than that of the others.
func (p *printer) doubted(r summary.Row, cell string) string {
	if text := partial(r, cell); text != cell {
		return p.paint(text, doubt)
	}
	return cell
}

func reduction(r summary.Row, baseline string) string {
	switch {
	case r.Variant == baseline:
		return "baseline"
	case r.Reduction == nil:
		return none
	case r.Reduction.Low == nil:
		return percent(r.Reduction.Estimate) + " [too few]"
	}
	return fmt.Sprintf("%s [%s, %s]", percent(r.Reduction.Estimate), points(*r.Reduction.Low), points(*r.Reduction.High))
}

// peak is shown beside its prediction.
func (p *printer) peak(r summary.Row) string {
	switch {
	case r.Peak == nil:
		return none
	case r.Exhausted > 0:
		return p.paint(ofLimit(r), bad)
	case r.Predicted == 0:
		return count(*r.Peak)
	case *r.Peak > r.Predicted:
		return p.paint(fmt.Sprintf("%s > %s", count(*r.Peak), count(r.Predicted)), doubt)
	}
	return fmt.Sprintf("%s ≤ %s", count(*r.Peak), count(r.Predicted))
}

// ofLimit is the peak of a row that ran out of descriptors, and their limit.
func ofLimit(r summary.Row) string {
	peak := 0
	if r.Peak != nil {
		peak = *r.Peak
	}
	return fmt.Sprintf("%s of %s", count(peak), count(r.NoFile))
}

func (p *printer) documents(r summary.Row) string {
	d := r.Documents
	switch {
	case r.Checked == 0:
		return none
	case d.Broken() > 0:
		return p.paint(broken(d), bad)
	case d.Unwritten > 0:
		return p.paint(count(d.Unwritten)+" unwritten", doubt)
	}
	word := "ok"
	if d.Unchecked {
		word = "there, unread"
	}
	switch {
	case r.Checked < r.Planned:
		return p.paint(fmt.Sprintf("%s, %d/%d", word, r.Checked, r.Planned), doubt)
	case d.Unchecked:
		return p.paint(word, doubt)
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
			parts = append(parts, count(k.n)+" "+k.name)
		}
	}
	text := strings.Join(parts, ", ")
	if d.Renamed > 0 { // else the sum of the parts
		text += fmt.Sprintf(" (%s in all)", count(d.Broken()))
	}
	return text
}

// remarks say, below a level's table, which trials are missing and which errors there were.
func (p *printer) remarks(level string) {
	for _, r := range p.v.Table.Rows {
		if parts := rowRemarks(r); r.Level == level && len(parts) > 0 {
			p.wrapped("  ", r.Variant+": "+strings.Join(parts, "; "), doubt)
		}
	}
}

// rowRemarks say of a row what its cells do not.
func rowRemarks(r summary.Row) []string {
	var parts []string
	recorded := r.OK
	for _, o := range r.Outcomes() {
		recorded += r.NotOK[o]
		parts = append(parts, plural(r.NotOK[o], "trial", "trials")+" "+past(o))
	}
	if recorded < r.Planned {
		parts = append(parts, plural(r.Planned-recorded, "trial", "trials")+" not run")
	}
	if r.Exhausted > 0 {
		parts = append(parts, fmt.Sprintf("%s descriptors (sut.nofile) in %s", ofLimit(r), plural(r.Exhausted, "trial", "trials")))
	}
	if l := r.Leak; l != nil {
		parts = append(parts, fmt.Sprintf("leak: %.2g descriptors an item stayed open (%s with at most %s in flight)",
			l.PerItem, count(l.Descriptors), plural(l.InFlight, "request", "requests")))
	}
	if r.Left > 0 {
		parts = append(parts, "up to "+plural(r.Left, "descriptor", "descriptors")+" left open")
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
		types[i] = fmt.Sprintf("%s × %s", t, count(counts[t]))
	}
	return strings.Join(types, ", ")
}

// level is the head of a level's table.
func (p *printer) level(name string) {
	if label := p.v.Labels[name]; label != "" {
		p.line(p.bold(label))
		p.wrapped("", name, faint)
		return
	}
	p.line(p.bold(name))
}
