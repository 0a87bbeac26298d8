package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"floodgate/results/capacity"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
)

// Rates writes a plan for a person: the highest rate that each variant
// sustains, what gave out first, and all rates that were tried.
func Rates(w io.Writer, plan *capacity.Plan, o text.Options) error {
	p := &ratePrinter{printer: printer{Printer: text.NewPrinter(o, 80)}, plan: plan}
	p.Line(p.Bold(plan.Scenario + ": the highest rate that is sustained"))
	p.terms()
	p.table()
	p.limit()
	p.thresholds()
	p.tried()
	p.end()
	return p.Flush(w, fmt.Sprintf("plan %q", plan.ID))
}

// RatesJSON writes a plan, indented, with a newline at its end.
func RatesJSON(w io.Writer, plan *capacity.Plan) error {
	return writeJSON(w, plan, fmt.Sprintf("plan %q", plan.ID))
}

// Tried says what became of one rate, in a line: "8/s for 5 s: passed (p99 210 ms)".
func Tried(p capacity.Point) string {
	words := fmt.Sprintf("%s for %s: %s", rate(p.Rate), seconds(p.Window), pointWord(p))
	if p.Decision == verdict.Passed {
		return words + " (p99 " + text.Duration(p.P99) + ")"
	}
	return words + " (" + strings.Join(p.Why, "; ") + ")"
}

func pointWord(p capacity.Point) string {
	if p.Decision == verdict.Passed && p.Confirms {
		return string(p.Decision) + ", confirmed"
	}
	return string(p.Decision)
}

type ratePrinter struct {
	printer
	plan *capacity.Plan
}

// terms say what "sustained" means here.
func (p *ratePrinter) terms() {
	slo := p.plan.SLO
	p.hanging(fmt.Sprintf("slo          p99 ≤ %s since a report was due, errors ≤ %s, descriptors ≤ %d of %d",
		text.Duration(time.Duration(slo.P99)), text.Percent(slo.MaxErrors()), p.plan.MaxDescriptors, p.plan.NoFile))
	how := "evenly"
	if p.plan.Poisson {
		how = "at random times (Poisson)"
	}
	p.hanging(fmt.Sprintf("reports      %s; tried for %s, confirmed for %s: a rate may be up to %.0f %% above what lasts for ever",
		how, seconds(p.plan.Window), seconds(p.plan.Confirm), 100*p.plan.Hidden()))
	if p.plan.Level != "" {
		p.hanging("level        " + p.plan.Level)
	}
}

// foundGrid has a row for every variant.
func (p *ratePrinter) foundGrid() *text.Grid {
	g := &text.Grid{Columns: []text.Column{
		{Title: "variant"}, {Title: "max rate", Right: true}, {Title: "interval", Right: true},
		{Title: "p99", Right: true, Drop: 1}, {Title: "errors", Right: true, Drop: 2}, {Title: "FDs", Right: true, Drop: 3}, {Title: "gave out"},
	}}
	for _, v := range p.plan.Variants {
		g.Add(p.cells(v)...)
	}
	return g
}

func (p *ratePrinter) table() {
	g := p.foundGrid()
	g.Fit(p.Width) // what is given up stands with the rates that were tried
	p.Line("")
	widths := g.Widths()
	p.Titles(g, widths)
	for i, v := range p.plan.Variants {
		p.Line(g.Line(g.Rows[i], widths))
		if says := p.says(v); says != "" {
			p.Wrapped("  ", says, faint)
		}
	}
	if len(p.plan.NotTried) > 0 {
		p.Wrapped("", "not tried: "+strings.Join(p.plan.NotTried, ", "), doubt)
	}
}

func (p *ratePrinter) cells(v capacity.Variant) []string {
	max, interval, gave := text.None, text.None, text.None
	switch v.End {
	case capacity.Confirmed:
		max, interval = rate(v.Confirmed), fmt.Sprintf("[%s, %s)", digitsOf(v.Confirmed), digitsOf(v.Failed))
	case capacity.AtLeast:
		max, interval = "≥ "+rate(v.Confirmed), fmt.Sprintf("[%s, …)", digitsOf(v.Confirmed))
	case capacity.Below:
		max, interval = "< "+rate(v.Failed), fmt.Sprintf("[0, %s)", digitsOf(v.Failed))
	case capacity.Undecided, capacity.Unconfirmed, capacity.Unfinished:
		max = p.Paint("no rate", doubt)
	}
	switch {
	case v.End == capacity.AtLeast:
		gave = "nothing"
	case v.Blame != nil && v.Decided():
		gave = p.Paint(string(v.Blame.Resource), bad)
	}
	best := v.Best()
	if best == nil || !v.Decided() {
		return []string{v.Variant, max, interval, text.None, text.None, text.None, gave}
	}
	return []string{v.Variant, max, interval, text.Duration(best.P99), text.Percent(best.Errors()), peakOf(*best, p.plan.NoFile), gave}
}

// says is what stands below the row: why there is no rate, or what gave out.
func (p *ratePrinter) says(v capacity.Variant) string {
	held := ""
	if v.Held > 0 {
		held = fmt.Sprintf("; %s passed, unconfirmed", rate(v.Held))
	}
	switch {
	case v.Unmeasured != "":
		return "not measured: " + v.Unmeasured + held
	case v.End == capacity.Undecided:
		last := lowestInconclusive(v)
		return fmt.Sprintf("no rate, inconclusive at %s: %s%s", rate(last.Rate), strings.Join(last.Why, "; "), held)
	case v.End == capacity.Unconfirmed:
		return fmt.Sprintf("no rate: none that was tried passed for %s", seconds(p.plan.Confirm))
	case v.End == capacity.Unfinished:
		return "not finished" + held
	case v.End == capacity.AtLeast:
		return fmt.Sprintf("the highest rate that was to be tried (--max-rate) passed for %s: the variant is not exhausted", seconds(p.plan.Confirm))
	case v.Blame != nil:
		doubt := ""
		if p := lowestInconclusive(v); p.Rate > v.Confirmed && p.Rate < v.Failed {
			doubt = fmt.Sprintf("; inconclusive at %s: %s", rate(p.Rate), strings.Join(p.Why, "; "))
		}
		return fmt.Sprintf("%s gave out first, at %s: %s", v.Blame.Resource, rate(v.Failed), v.Blame.Says) + doubt
	}
	return ""
}

// thresholds set what is known of a rate beside its limit.
func (p *ratePrinter) thresholds() {
	if len(p.plan.Thresholds) == 0 {
		return
	}
	p.Line("")
	p.Line(p.Bold("thresholds"))
	for _, t := range p.plan.Thresholds {
		p.Line(p.Paint(t.Verdict().Mark(), t.Verdict().Tone()) + " " + ruleOf(t.Threshold))
		known := text.None
		for _, v := range p.plan.Variants {
			if v.Variant == t.Variant {
				known = strings.Join(p.cells(v)[1:3], " ")
			}
		}
		words := fmt.Sprintf("%s beside %s: %s", known, rate(t.Limit), t.Decision)
		if t.Why != "" {
			words += "; " + t.Why
		}
		p.Wrapped("    ", words, "")
	}
}

// lowestInconclusive is the lowest rate that is inconclusive.
func lowestInconclusive(v capacity.Variant) (lowest capacity.Point) {
	for _, p := range v.Points {
		if p.Decision == verdict.Inconclusive && (lowest.Rate == 0 || p.Rate < lowest.Rate) {
			lowest = p
		}
	}
	return lowest
}

// triedGrid has a row for every point, variant by variant in the order in which they were tried.
func (p *ratePrinter) triedGrid() *text.Grid {
	g := &text.Grid{Columns: []text.Column{
		{Title: "rate", Right: true}, {Title: "for", Right: true}, {Title: "reports", Right: true}, {Title: "p99", Right: true}, {Title: "errors", Right: true}, {Title: "FDs", Right: true}, {Title: ""},
	}}
	for _, v := range p.plan.Variants {
		for _, t := range v.Points {
			g.Add(rate(t.Rate), seconds(t.Window), text.Count(t.Due), text.Duration(t.P99), text.Percent(t.Errors()), peakOf(t, p.plan.NoFile), p.Paint(pointWord(t), t.Decision.Tone()))
		}
	}
	return g
}

// tried lists the points.
func (p *ratePrinter) tried() {
	g := p.triedGrid()
	widths, row := g.Widths(), 0
	for _, v := range p.plan.Variants {
		p.Line("")
		p.Line(p.Bold(v.Variant))
		if len(v.Points) == 0 {
			p.Line("  " + p.Paint("no rate was tried to its end", faint))
			continue
		}
		p.Line("  " + p.Paint(g.Line(g.Titles(), widths), faint))
		for _, t := range v.Points {
			p.Line("  " + g.Line(g.Rows[row], widths))
			row++
			if len(t.Why) > 0 {
				p.Wrapped("      ", strings.Join(t.Why, "; "), faint)
			}
		}
	}
}

func (p *ratePrinter) end() {
	m, env := p.plan.Machine, p.plan.Environment
	p.Line("")
	p.hanging(fmt.Sprintf("environment  %s: %s, %s", env.Kind, env.Database, env.Upstream))
	p.hanging("machine      " + machineLine(m))
	for _, words := range disturbances(p.plan.Noise) {
		p.hanging("noise        " + words)
	}
	p.hanging(fmt.Sprintf("inconclusive where the mock upstream was too slow, or the generator began more than 1 %% of the reports %s late", text.Duration(p.plan.LagBound)))
	if p.plan.Records != "" {
		p.hanging("records      " + p.plan.Records)
	}
	p.Line("")
	p.Line(fmt.Sprintf("%s (exit code %d)", p.Bold(p.decided()), p.plan.Exit))
}

// decided says of how many variants the rate is known.
func (p *ratePrinter) decided() string {
	decided := 0
	for _, v := range p.plan.Variants {
		if v.Unmeasured == "" && v.Decided() {
			decided++
		}
	}
	words := fmt.Sprintf("%d of %s decided", decided, text.Plural(len(p.plan.Variants)+len(p.plan.NotTried), "variant", "variants"))
	if p.plan.Interrupted {
		words += ", interrupted"
	}
	return words
}

func rate(r float64) string { return digitsOf(r) + "/s" }

// digitsOf writes a rate, which is rounded already.
func digitsOf(r float64) string { return strconv.FormatFloat(r, 'f', -1, 64) }

// seconds writes a window: "5 s", "1.5 s".
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'g', 4, 64) + " s"
}

func peakOf(p capacity.Point, nofile int) string {
	if p.Peak == nil {
		return text.None
	}
	return fmt.Sprintf("%s/%s", text.Count(*p.Peak), text.Count(nofile))
}
