package report

import (
	"fmt"
	"io"
	"strings"

	"floodgate/results/compare"
	"floodgate/results/report/content"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Comparison writes the comparison of two runs for a terminal: first their
// differences, then two tables per level, of times and of costs.
func Comparison(w io.Writer, c *compare.Comparison, o text.Options) error {
	p := newPrinter(o)
	p.sides(c)
	times, costs := content.TimeGrid(c), content.CostGrid(c)
	dropped := append(times.Fit(p.Width), costs.Fit(p.Width)...)
	narrow, wide := times.Widths(), costs.Widths()
	for i, r := range c.Rows {
		if i > 0 && r.A.Level == c.Rows[i-1].A.Level {
			continue
		}
		rows := i
		for rows < len(c.Rows) && c.Rows[rows].A.Level == r.A.Level {
			rows++
		}
		p.Line("")
		p.Line(p.Bold(r.A.Level))
		p.compared(times, narrow, i, rows)
		p.Line("")
		p.compared(costs, wide, i, rows)
		for _, row := range c.Rows[i:rows] {
			p.Wrapped("  ", strings.Join(content.ComparisonRemarks(row), "; "), verdict.Doubt)
		}
	}
	p.Line("")
	if len(c.Rows) > 0 {
		p.NotShown(dropped)
	}
	for _, only := range c.Only {
		p.Wrapped("", only, verdict.Doubt)
	}
	if len(c.Rows) == 0 {
		p.Wrapped("", content.NothingInCommon, verdict.Bad)
	} else {
		p.Wrapped("", c.Caution, verdict.Faint)
	}
	return p.Flush(w, "comparison")
}

// compared writes the rows of a level.
func (p *printer) compared(g *text.Grid, widths []int, from, to int) {
	p.Titles(g, widths)
	for _, cells := range g.Rows[from:to] {
		p.Line(g.Line(cells, widths))
	}
}

// sides writes the two runs and their differences.
func (p *printer) sides(c *compare.Comparison) {
	if c.AllowedMixed {
		p.Wrapped("", content.MixedLine(c), verdict.Bad)
	}
	for i, s := range []compare.Side{c.A, c.B} {
		p.Wrapped("", fmt.Sprintf("%c  %s", 'A'+i, content.ComparisonSide(s)), "")
	}
	for _, d := range content.ComparisonNotes(c) {
		p.Wrapped("", d, verdict.Doubt)
	}
	if len(c.Rows) > 0 {
		p.Wrapped("", content.ComparisonMethod(c), verdict.Faint)
	}
}

// ComparisonJSON writes the comparison with all its figures.
func ComparisonJSON(w io.Writer, c *compare.Comparison) error {
	return content.WriteJSON(w, c, "comparison")
}
