package report

import (
	"fmt"
	"io"
	"strings"

	"floodgate/results/compare"
	"floodgate/results/report/text"
	"floodgate/results/summary"
)

// Comparison writes two runs side by side for a person: what stands between
// them first, then two tables a level, of time and of cost.
func Comparison(w io.Writer, c *compare.Comparison, o text.Options) error {
	p := &printer{Printer: text.NewPrinter(o, 80)}
	p.sides(c)
	times, costs := timeGrid(c), costGrid(c)
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
			p.Wrapped("  ", strings.Join(comparisonRemarks(row), "; "), doubt)
		}
	}
	p.Line("")
	if len(c.Rows) > 0 {
		p.NotShown(dropped)
	}
	for _, only := range c.Only {
		p.Wrapped("", only, doubt)
	}
	if len(c.Rows) == 0 {
		p.Wrapped("", nothingInCommon, bad)
	} else {
		p.Wrapped("", c.Caution, faint)
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

// sides says which runs these are, and what stands between them.
func (p *printer) sides(c *compare.Comparison) {
	if c.AllowedMixed {
		p.Wrapped("", mixedLine(c), bad)
	}
	for i, s := range []compare.Side{c.A, c.B} {
		p.Wrapped("", fmt.Sprintf("%c  %s", 'A'+i, sideLine(s)), "")
	}
	for _, d := range remarksOnBoth(c) {
		p.Wrapped("", d, doubt)
	}
	if len(c.Rows) > 0 {
		p.Wrapped("", howCompared(c), faint)
	}
}

// mixedLine must stand at the top of whatever shows the figures.
func mixedLine(c *compare.Comparison) string {
	return "MIXED ENVIRONMENTS, as --allow-mixed allowed: " + strings.Join(c.Mixed, "; ")
}

func sideLine(s compare.Side) string {
	revision := s.Revision
	if len(revision) > 12 {
		revision = revision[:12]
	}
	if s.Modified {
		revision += " with changes"
	}
	trials := text.Plural(s.Trials, "trial", "trials")
	if s.Trials < s.Planned {
		trials = fmt.Sprintf("%s of %s trials", text.Count(s.Trials), text.Count(s.Planned))
	}
	if len(s.NotOK) > 0 {
		trials += " (" + outcomes(summary.Row{NotOK: s.NotOK}) + ")"
	}
	if s.SUT != nil {
		revision += ", sut " + sutLine(*s.SUT)
	}
	return fmt.Sprintf("%s, %s, %s: %s, %s, revision %s, %s",
		s.ID, s.Scenario, s.Environment.Kind, s.Environment.Database, s.Environment.Upstream, revision, trials)
}

// outcomes are those other than ok: "2 crashed, 1 failed".
func outcomes(r summary.Row) string {
	var parts []string
	for _, o := range r.Outcomes() {
		parts = append(parts, text.Count(r.NotOK[o])+" "+past(o))
	}
	return strings.Join(parts, ", ")
}

func remarksOnBoth(c *compare.Comparison) []string {
	all := append([]string{}, c.Differences...)
	if c.Local {
		all = append(all, local+" says as much of the machines as of the program")
	}
	return all
}

// nothingInCommon stands in place of the rows that are not there.
const nothingInCommon = "No variant at a level in common: nothing to compare."

func howCompared(c *compare.Comparison) string {
	if c.Paired {
		return "Ratios of makespans, paired by block: both runs made the same draws (signed-rank intervals, 95 %)."
	}
	return "Ratios of makespans, unpaired: the runs did not make the same draws (rank-sum intervals, 95 %)."
}

// comparisonRemarks say of a row what its cells do not.
func comparisonRemarks(r compare.Row) []string {
	var parts []string
	if r.Why != "" {
		parts = append(parts, "no interval: "+r.Why)
	}
	if len(r.Missing) > 0 {
		why := make([]string, len(r.Missing))
		for i, m := range r.Missing {
			why[i] = fmt.Sprintf("%s × %d", m.Why, m.Blocks)
		}
		parts = append(parts, "missing: "+strings.Join(why, ", "))
	}
	for i, side := range []summary.Row{r.A, r.B} {
		name := string(rune('A' + i))
		if side.ErrorCount() > 0 {
			parts = append(parts, "errors in "+name+": "+errorTypes(side.Errors))
		}
		if side.Partial > 0 {
			parts = append(parts, name+" "+partialRemark(side))
		}
		if side.HeldBack > 0 {
			parts = append(parts, name+" "+heldBackRemark(side))
		}
		if side.Repeated > 0 {
			parts = append(parts, name+" "+repeatedRemark(side.Repeated))
		}
	}
	if len(parts) > 0 {
		parts[0] = r.A.Variant + ": " + parts[0]
	}
	return parts
}

// ComparisonJSON writes the comparison with all its figures.
func ComparisonJSON(w io.Writer, c *compare.Comparison) error {
	return writeJSON(w, c, "comparison")
}
