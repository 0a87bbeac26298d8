package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"floodgate/results/capacity"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
)

// LimitsMarkdown writes a plan of limits as Markdown: the limit to take and the
// settings first, then every limit that was tried.
func LimitsMarkdown(w io.Writer, plan *capacity.Limits) error {
	p := &limitPrinter{printer: printer{Printer: text.Printer{Width: 96}}, plan: plan}
	var out bytes.Buffer
	says := p.conclusion()
	if plan.Recommendation != nil {
		says = p.advice(plan.Recommendation)
	}
	planHead(&out, plan.Scenario+": which limit to take", says, plan.Decision)
	p.config()
	fenced(&out, p.taken())
	p.terms()
	p.recommendation()
	p.simulation()
	p.model()
	fenced(&out, p.taken())
	g := p.pointGrid()
	planTable(&out, g)
	for _, t := range plan.Points {
		if words := below(t); words != "" {
			planRemark(&out, fmt.Sprintf("%d: %s", t.Limit, words))
		}
	}
	out.WriteString("\nX·R: throughput times the mean time of an item, which is the limit by Little's law; ! is more than 5 % off.\n")
	p.end()
	fenced(&out, p.taken())
	return writePlan(w, &out, plan.ID)
}

// RatesMarkdown writes a plan of rates as Markdown: what is sustained, then
// every rate that was tried.
func RatesMarkdown(w io.Writer, plan *capacity.Plan) error {
	p := &ratePrinter{printer: printer{Printer: text.Printer{Width: 96}}, plan: plan}
	var out bytes.Buffer
	planHead(&out, plan.Scenario+": the highest rate that is sustained", p.decided(), plan.Decision)
	planTable(&out, p.foundGrid())
	for _, v := range plan.Variants {
		if says := p.says(v); says != "" {
			planRemark(&out, v.Variant+": "+says)
		}
	}
	if len(plan.NotTried) > 0 {
		planRemark(&out, "not tried: "+strings.Join(plan.NotTried, ", "))
	}
	p.terms()
	p.limit()
	p.thresholds()
	fenced(&out, p.taken())
	all, at := p.triedGrid(), 0
	for _, v := range plan.Variants {
		if len(v.Points) == 0 {
			continue
		}
		fmt.Fprintf(&out, "\n### %s\n", escaped(v.Variant))
		planTable(&out, &text.Grid{Columns: all.Columns, Rows: all.Rows[at : at+len(v.Points)]})
		at += len(v.Points)
		for _, t := range v.Points {
			if len(t.Why) > 0 {
				planRemark(&out, rate(t.Rate)+": "+strings.Join(t.Why, "; "))
			}
		}
	}
	p.end()
	fenced(&out, p.taken())
	return writePlan(w, &out, plan.ID)
}

func writePlan(w io.Writer, out *bytes.Buffer, id string) error {
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write plan %q: %w", id, err)
	}
	return nil
}

func planHead(out *bytes.Buffer, title, says string, d verdict.Decision) {
	fmt.Fprintf(out, "## %s %s\n\n**%s** (exit code %d)\n", d.Mark(), escaped(title), escaped(says), d.ExitCode())
}

// planTable leaves nothing out for want of width.
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

// planRemark is a line of a list; a table ends where the first one begins.
func planRemark(out *bytes.Buffer, words string) {
	if bytes.HasSuffix(out.Bytes(), []byte("|\n")) {
		out.WriteString("\n")
	}
	fmt.Fprintf(out, "- %s\n", escaped(words))
}

// taken is what was printed since the last time.
func (p *printer) taken() string {
	words := p.Out.String()
	p.Out.Reset()
	return words
}

// fenced writes text as it is, in a fence that nothing in it closes.
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
