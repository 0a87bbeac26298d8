package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"floodgate/results/compare"
	"floodgate/results/stats"
	"floodgate/results/summary"
)

// caution stands under every comparison.
const caution = "The runs were not interleaved: an interval covers draws and repetitions, not what changed on the machine between them. One in four comparisons with a stored run shows a difference that is none."

// comparisonColumns are those of a table that compares.
var comparisonColumns = []column{
	{title: "variant"},
	{title: "makespan A", right: true, drop: 1},
	{title: "makespan B", right: true, drop: 2},
	{title: "B ÷ A [95 %]", right: true},
	{title: "reduction A → B", right: true},
	{title: "item p99 A → B", right: true, drop: 3},
	{title: "peak FDs", right: true},
	{title: "errors", right: true, drop: 4},
	{title: "documents"},
}

// Comparison writes two runs side by side for a person.
func Comparison(w io.Writer, c *compare.Comparison, o Options) error {
	if o.Width == 0 {
		o.Width = 100
	}
	p := &printer{width: max(o.Width, 80), color: o.Color}
	p.sides(c)
	g := &grid{columns: append([]column{}, comparisonColumns...)}
	for _, r := range c.Rows {
		g.add(comparisonCells(r)...)
	}
	dropped := g.fit(p.width)
	widths := g.widths()
	for i, r := range c.Rows {
		if i == 0 || r.A.Level != c.Rows[i-1].A.Level {
			p.line("")
			p.line(p.bold(r.A.Level))
			p.line(p.paint(g.line(g.titles(), widths), faint))
		}
		p.line(g.line(g.rows[i], widths))
	}
	p.line("")
	if len(dropped) > 0 {
		p.wrapped("", "not shown, for want of width: "+strings.Join(dropped, ", "), faint)
	}
	for _, only := range c.Only {
		p.wrapped("", only, doubt)
	}
	p.wrapped("", caution, faint)
	if _, err := w.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	return nil
}

// sides says which runs these are, and what stands between them.
func (p *printer) sides(c *compare.Comparison) {
	for _, s := range []struct {
		name string
		side compare.Side
	}{{"A", c.A}, {"B", c.B}} {
		p.wrapped("", fmt.Sprintf("%s  %s, %s, %s: %s, %s", s.name, s.side.ID, s.side.Scenario,
			s.side.Environment.Kind, s.side.Environment.Database, s.side.Environment.Upstream), "")
	}
	if len(c.Mixed) > 0 {
		p.wrapped("", "MIXED, as --allow-mixed allowed: "+strings.Join(c.Mixed, "; "), bad)
	}
	for _, d := range c.Differences {
		p.wrapped("", d, doubt)
	}
	how := "unpaired: the runs made other draws"
	if c.Paired {
		how = "paired by block: both runs made the same draws"
	}
	p.wrapped("", how, faint)
}

func comparisonCells(r compare.Row) []string {
	both := func(a, b string) string {
		if a == b {
			return a
		}
		return a + " → " + b
	}
	return []string{
		r.A.Variant, orNone(r.A.Makespan, duration), orNone(r.B.Makespan, duration), ratioCell(r.Makespan, r.Why),
		both(reductionCell(r.A), reductionCell(r.B)), both(orNone(r.A.ItemP99, duration), orNone(r.B.ItemP99, duration)),
		both(orNone(r.A.Peak, count), orNone(r.B.Peak, count)), both(count(r.A.ErrorCount()), count(r.B.ErrorCount())),
		both(documentsCell(r.A), documentsCell(r.B)),
	}
}

func ratioCell(i *stats.Interval, why string) string {
	if i == nil {
		return none + " " + why
	}
	return fmt.Sprintf("%.2f [%.2f, %.2f]", i.Estimate, i.Low, i.High)
}

func reductionCell(r summary.Row) string {
	if r.Reduction == nil {
		return none
	}
	return percent(r.Reduction.Estimate)
}

func documentsCell(r summary.Row) string {
	switch {
	case r.Checked == 0:
		return none
	case r.Documents.Broken() > 0:
		return broken(r.Documents)
	case r.Documents.Unwritten > 0:
		return count(r.Documents.Unwritten) + " unwritten"
	case r.Documents.Unchecked:
		return "there, unread"
	}
	return "ok"
}

// ComparisonJSON writes the comparison with all its figures.
func ComparisonJSON(w io.Writer, c *compare.Comparison) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(c); err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	return nil
}
