package ci

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"floodgate/results/capacity"
	"floodgate/results/report/content"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/results/whatif"
)

// WhatIfMarkdown writes a prediction as Markdown, with all its tables.
func WhatIfMarkdown(w io.Writer, a *whatif.Answer) error {
	p := &content.WhatIf{Printer: text.Printer{Width: 96}, Answer: a}
	var out bytes.Buffer
	fmt.Fprintf(&out, "## %s\n", escaped("what if "+a.Spec))
	p.Prediction()
	fenced(&out, taken(&p.Printer))
	planTable(&out, p.StageGrid())
	if checks, remark := p.CheckGrid(); len(checks.Rows) > 0 { // else all are of several hosts
		planTable(&out, checks)
		planRemark(&out, remark)
	}
	if fleets := p.FleetGrid(); len(fleets.Rows) > 0 {
		planTable(&out, fleets)
	}
	p.LargestErrors()
	p.Limitations()
	fenced(&out, taken(&p.Printer))
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write what-if %q: %w", a.Spec, err)
	}
	return nil
}

// LimitsMarkdown writes a plan of limits as Markdown: first the recommended limit
// and the settings, then every tested limit.
func LimitsMarkdown(w io.Writer, plan *capacity.Limits) error {
	p := &content.Limits{Printer: text.Printer{Width: 96}, Plan: plan}
	var out bytes.Buffer
	conclusion := p.Conclusion()
	if plan.Recommendation != nil {
		conclusion = p.Advice(plan.Recommendation)
	}
	planHead(&out, p.Title(), conclusion, plan.Decision)
	p.Config()
	fenced(&out, taken(&p.Printer))
	p.Terms()
	p.Recommendation()
	p.Simulation()
	p.Model()
	fenced(&out, taken(&p.Printer))
	g := p.PointGrid()
	planTable(&out, g)
	for _, t := range plan.Points {
		if words := content.LimitRemarks(t); words != "" {
			planRemark(&out, fmt.Sprintf("%d: %s", t.Limit, words))
		}
	}
	if p.Little() {
		out.WriteString("\n" + content.LittleRemark + ".\n")
	}
	p.End()
	fenced(&out, taken(&p.Printer))
	return writePlan(w, &out, plan.ID)
}

// RatesMarkdown writes a plan of rates as Markdown: first the sustained rates, then
// every tested rate.
func RatesMarkdown(w io.Writer, plan *capacity.Rates) error {
	p := &content.Rates{Printer: text.Printer{Width: 96}, Plan: plan}
	var out bytes.Buffer
	planHead(&out, plan.Scenario+": highest sustained rate", p.Decided(), plan.Decision)
	planTable(&out, p.FoundGrid())
	for _, v := range plan.Variants {
		if remark := p.Remark(v); remark != "" {
			planRemark(&out, v.Variant+": "+remark)
		}
	}
	if len(plan.NotTried) > 0 {
		planRemark(&out, "not tested: "+strings.Join(plan.NotTried, ", "))
	}
	p.Terms()
	p.Limit()
	p.Thresholds()
	fenced(&out, taken(&p.Printer))
	all, at := p.TriedGrid(), 0
	for _, v := range plan.Variants {
		if len(v.Points) == 0 {
			continue
		}
		fmt.Fprintf(&out, "\n### %s\n", escaped(v.Variant))
		planTable(&out, &text.Grid{Columns: all.Columns, Rows: all.Rows[at : at+len(v.Points)]})
		at += len(v.Points)
		for _, t := range v.Points {
			if len(t.Why) > 0 {
				planRemark(&out, content.PerSecond(t.Rate)+": "+strings.Join(t.Why, "; "))
			}
		}
	}
	p.End()
	fenced(&out, taken(&p.Printer))
	return writePlan(w, &out, plan.ID)
}

func writePlan(w io.Writer, out *bytes.Buffer, id string) error {
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write plan %q: %w", id, err)
	}
	return nil
}

func planHead(out *bytes.Buffer, title, conclusion string, d verdict.Decision) {
	fmt.Fprintf(out, "## %s %s\n\n**%s** (exit code %d)\n", d.Mark(), escaped(title), escaped(conclusion), d.ExitCode())
}

// planTable writes a table with all columns.
func planTable(out *bytes.Buffer, g *text.Grid) {
	if len(g.Rows) == 0 {
		return
	}
	out.WriteString("\n")
	head(out, g.Columns)
	for _, cells := range g.Rows {
		row(out, cells)
	}
}

// planRemark writes a list item below a table, ending the table if it is the first
// one.
func planRemark(out *bytes.Buffer, words string) {
	if bytes.HasSuffix(out.Bytes(), []byte("|\n")) {
		out.WriteString("\n")
	}
	fmt.Fprintf(out, "- %s\n", escaped(words))
}

// taken returns the text printed since the last call.
func taken(p *text.Printer) string {
	words := p.Out.String()
	p.Out.Reset()
	return words
}

// fenced writes literal text in a fence that is longer than any in the text.
func fenced(out *bytes.Buffer, words string) {
	words = cleanLines(strings.Trim(words, "\n"))
	if words == "" {
		return
	}
	fence := "```"
	for strings.Contains(words, fence) {
		fence += "`"
	}
	fmt.Fprintf(out, "\n%s\n%s\n%s\n", fence, words, fence)
}
