package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/noise"
	"floodgate/results/report/content"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// JSON writes the outcome, indented, with a newline at its end.
func JSON(w io.Writer, v *claims.Outcome) error {
	return content.WriteJSON(w, v, fmt.Sprintf("verdict of run %q", v.Run))
}

// Terminal writes a run for a terminal: a table per level, the claims and thresholds
// with their evidence, the path of the record, and the machine.
func Terminal(w io.Writer, run *results.Run, v *claims.Outcome, o text.Options) error {
	p := &printer{content.Run{Record: run, Outcome: v, Printer: text.NewPrinter(o, 80)}}
	p.title()
	if p.Outcome.Service != nil {
		p.services()
	} else {
		p.tables()
	}
	p.hosts()
	p.claims()
	p.thresholds()
	p.noise()
	p.footer()
	return p.Flush(w, fmt.Sprintf("report of run %q", v.Run))
}

func (p *printer) title() { p.Line(p.Bold(content.Title(p.Outcome))) }

func (p *printer) footer() {
	p.Line("")
	for _, row := range p.Facts().Rows {
		p.Fact(row[0], "%s", row[1])
	}
	for _, n := range p.Notes() {
		p.Fact("note", "%s", n)
	}
	p.Line("")
	p.conclusion()
}

func (p *printer) conclusion() {
	p.Wrapped("", fmt.Sprintf("%s: %s (exit code %d)", p.concluded(p.Outcome.Decision), content.Tally(p.Outcome), p.Outcome.Exit), "")
}

// tables writes a table per level, with the same column widths throughout.
func (p *printer) tables() {
	t, g := p.Outcome.Table, p.TableGrid()
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

// hosts writes a table of the hosts of all levels that have several.
func (p *printer) hosts() {
	g, of, remark := p.HostsGrid()
	if len(of) == 0 {
		return
	}
	dropped := g.Fit(p.Width)
	widths := g.Widths()
	p.Line("")
	p.Line(p.Bold("hosts"))
	for i, row := range of {
		if i == 0 || row.Level != of[i-1].Level {
			p.level(row.Level)
			p.Titles(g, widths)
		}
		p.Line(g.Line(g.Rows[i], widths))
	}
	p.Wrapped("  ", remark, verdict.Faint)
	p.NotShown(dropped)
}

// remarks writes the missing trials and the errors below a level's table.
func (p *printer) remarks(level string) {
	for _, r := range p.Outcome.Table.Rows {
		if parts := content.RowRemarks(r); r.Level == level && len(parts) > 0 {
			p.Wrapped("  ", r.Variant+": "+strings.Join(parts, "; "), verdict.Doubt)
		}
	}
}

// level writes the heading of a level's table.
func (p *printer) level(name string) {
	if label := p.Outcome.Labels[name]; label != "" {
		p.Line(p.Bold(label))
		p.Wrapped("", name, verdict.Faint)
		return
	}
	p.Line(p.Bold(name))
}

// services writes a table per level of a service under load, and below it the cause
// of the descriptors' growth for each variant.
func (p *printer) services() {
	g := p.ServiceGrid()
	dropped := g.Fit(p.Width)
	widths := g.Widths()
	for i, r := range p.Outcome.Service {
		if i == 0 || r.Level != p.Outcome.Service[i-1].Level {
			p.Line("")
			p.level(r.Level)
			p.Titles(g, widths)
		}
		p.Line(g.Line(g.Rows[i], widths))
		if i == len(p.Outcome.Service)-1 || r.Level != p.Outcome.Service[i+1].Level {
			p.causes(r.Level)
			p.requests(r.Level)
		}
	}
	p.NotShown(dropped)
}

// requests writes the kinds of requests of a level.
func (p *printer) requests(level string) {
	g, of := p.RequestGrid()
	dropped := g.Fit(p.Width)
	widths := g.Widths()
	first := true
	for i, r := range of {
		if r.Level != level {
			continue
		}
		if first {
			p.Line("")
			p.Titles(g, widths)
			first = false
		}
		p.Line(g.Line(g.Rows[i], widths))
	}
	if !first {
		p.NotShown(dropped)
	}
}

// causes writes the failed reports and the causes of the descriptors' growth below a
// level's table.
func (p *printer) causes(level string) {
	for _, r := range p.Outcome.Service {
		if parts := content.ServiceRemarks(r); r.Level == level && len(parts) > 0 {
			p.Wrapped("  ", r.Variant+": "+strings.Join(parts, "; "), verdict.Faint)
		}
	}
}

// claims writes each claim with its decision and evidence.
func (p *printer) claims() {
	if len(p.Outcome.Claims) == 0 {
		return
	}
	p.Line("")
	p.Line(p.Bold(fmt.Sprintf("claims, judged by %g %% intervals of pairs within a block", 100*p.Outcome.Confidence)))
	for _, c := range p.Outcome.Claims {
		p.Line("")
		p.claim(c)
	}
}

func (p *printer) claim(c claims.Claim) {
	tone := c.Verdict().Tone()
	p.Line(fmt.Sprintf("%s %s, %s  %s", p.Paint(c.Verdict().Mark(), tone), p.Bold(p.Paint(strings.ToUpper(c.Decision.String()), tone)), content.Expectation(c), p.Paint(c.ID, verdict.Faint)))
	p.Wrapped("  ", "“"+c.Statement+"”", "")
	for _, n := range c.Notes {
		p.Wrapped("    ", n, verdict.Doubt)
	}
	p.evidence(content.Condense(c.Evidence))
}

// evidence returns a grid of the points of a claim.
func (p *printer) evidence(points []claims.Evidence) {
	g := &text.Grid{Columns: make([]text.Column, 5)}
	for _, e := range points {
		g.Add(e.Variant, p.LevelOf(e), content.Statement(e), "n="+text.Count(e.N), p.word(e.Decision))
	}
	p.points(g, points)
}

// points writes one row per point, whose last three cells are the figures, their
// number, and the decision. Remarks are below the row.
func (p *printer) points(g *text.Grid, points []claims.Evidence) {
	const indent = "    "
	below := &text.Grid{Columns: make([]text.Column, 2)}
	if len(indent)+g.Width() > p.Width { // what was measured goes below what it is about
		at := len(g.Columns) - 3
		for i, r := range g.Rows {
			below.Add(r[at], r[at+1])
			g.Rows[i] = append(r[:at:at], r[at+2])
		}
		g.Columns = g.Columns[:at+1]
	}
	measured := below.Lines()
	for i, l := range g.Lines() {
		p.Line(indent + l)
		if len(measured) > 0 {
			p.Line(indent + "  " + measured[i])
		}
		p.remarksOn(points[i], indent+"  ")
	}
}

func (p *printer) remarksOn(e claims.Evidence, indent string) {
	for _, r := range content.EvidenceRemarks(e) {
		p.Wrapped(indent, r, verdict.Doubt)
	}
}

// thresholds writes each budget with the value and the limit at every level.
func (p *printer) thresholds() {
	if len(p.Outcome.Thresholds) == 0 {
		return
	}
	p.Line("")
	p.Line(p.Bold("thresholds"))
	for _, t := range p.Outcome.Thresholds {
		p.threshold(t)
	}
}

func (p *printer) threshold(t claims.Threshold) {
	mark := p.Paint(t.Verdict().Mark(), t.Verdict().Tone())
	for _, l := range p.Wrap(content.Rule(t.Threshold), 2) {
		p.Line(mark + " " + l)
		mark = " "
	}
	for _, n := range t.Notes {
		p.Wrapped("    ", n, verdict.Doubt)
	}
	g := &text.Grid{Columns: make([]text.Column, 4)}
	for _, e := range t.Evidence {
		g.Add(p.LevelOf(e), content.ThresholdStatement(t, e), "n="+text.Count(e.N), p.word(e.Decision))
	}
	p.points(g, t.Evidence)
}

// noise writes the findings about disturbances with advice, if there are any.
func (p *printer) noise() {
	found := slices.Clone(p.Outcome.Noise.Findings)
	if len(found) == 0 {
		return
	}
	slices.SortStableFunc(found, func(a, b noise.Finding) int { return rank(a) - rank(b) })
	p.Line("")
	p.Line(p.Bold("noise"))
	const width = len("too noisy") + len(text.Gap)
	indent := strings.Repeat(" ", 2+width)
	for i, f := range found {
		mark, color := "note", verdict.Faint
		if f.Severity == noise.TooNoisy {
			mark, color = "too noisy", verdict.Doubt
		}
		words := f.Kind + ": " + f.Message
		if f.Level != "" {
			words += ", at " + cmp.Or(p.Outcome.Labels[f.Level], f.Level)
		}
		first := "  " + p.Paint(mark, color) + strings.Repeat(" ", width-len(mark))
		for _, l := range p.Wrap(words, len(indent)) {
			p.Line(first + l)
			first = indent
		}
		if i == len(found)-1 || found[i+1].Advice != f.Advice {
			p.Wrapped(indent, "advice: "+f.Advice, verdict.Faint)
		}
	}
}

// rank orders findings: those that make pairs doubtful come first.
func rank(f noise.Finding) int {
	if f.Severity == noise.TooNoisy {
		return 0
	}
	return 1
}
