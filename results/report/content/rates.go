package content

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"floodgate/results/capacity"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Tried describes one tested rate in a line: "8/s for 5 s: passed (p99 210 ms)".
func Tried(p capacity.Point) string {
	words := fmt.Sprintf("%s for %s: %s", PerSecond(p.Rate), Seconds(p.Window), pointWord(p))
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

// Rates is the content of a plan of rates, for every format.
type Rates struct {
	text.Printer
	Plan *capacity.Rates
}

// Requirements returns the requirements of the SLO in one line.
func (p *Rates) Requirements() string {
	slo := p.Plan.SLO
	words := fmt.Sprintf("p99 ≤ %s from when a %s was due, errors ≤ %s, descriptors ≤ %d of %d",
		text.Duration(time.Duration(slo.P99)), p.Plan.Arrival(), text.Percent(slo.MaxErrors()), p.Plan.MaxDescriptors, p.Plan.NoFile)
	if p.Plan.Hosts > 1 {
		words += " on each host"
	}
	return words
}

// Terms explains what sustained means in the plan.
func (p *Rates) Terms() {
	p.Fact("slo", "%s", p.Requirements())
	how := "evenly"
	if p.Plan.Poisson {
		how = "at random times (Poisson)"
	}
	if p.Plan.Hosts > 1 {
		how += fmt.Sprintf(" to %d hosts in turn", p.Plan.Hosts)
	}
	p.Fact(p.Plan.Arrival()+"s", "sent %s; each rate tested for %s and confirmed %s: a confirmed rate may be up to %.0f %% above the sustainable one",
		how, Seconds(p.Plan.Window), p.Confirmation(), 100*p.Plan.Overstatement())
	if p.Plan.Repeats > 1 {
		p.Fact("certainty", "at a confirmed rate, at least %.0f %% of the windows of %s pass (95 %% confidence)", 100*p.Plan.PassingWindows(), Seconds(p.Plan.Confirm))
	}
	if p.Plan.Level != "" {
		p.Fact("level", "%s", p.Plan.Level)
	}
}

// Confirmation describes how a rate is confirmed: "for 20 s", or "by 5 windows of 20 s".
func (p *Rates) Confirmation() string {
	if p.Plan.Repeats > 1 {
		return fmt.Sprintf("by %d windows of %s", p.Plan.Repeats, Seconds(p.Plan.Confirm))
	}
	return "for " + Seconds(p.Plan.Confirm)
}

// FoundGrid has a row for every variant.
func (p *Rates) FoundGrid() *text.Grid {
	g := &text.Grid{Columns: []text.Column{
		{Title: "variant"}, {Title: "max rate", Right: true}, {Title: "interval", Right: true},
		{Title: "p99", Right: true, Drop: 1}, {Title: "errors", Right: true, Drop: 2}, {Title: "FDs", Right: true, Drop: 3}, {Title: "bottleneck"},
	}}
	for _, v := range p.Plan.Variants {
		g.Add(p.cells(v)...)
	}
	return g
}

// Table writes the table of the variants with their highest rates and bottlenecks.
func (p *Rates) Table() {
	g := p.FoundGrid()
	g.Fit(p.Width) // what is given up stands with the rates that were tried
	p.Line("")
	widths := g.Widths()
	p.Titles(g, widths)
	for i, v := range p.Plan.Variants {
		p.Line(g.Line(g.Rows[i], widths))
		if remark := p.Remark(v); remark != "" {
			p.Wrapped("  ", remark, verdict.Faint)
		}
	}
	if len(p.Plan.NotTried) > 0 {
		p.Wrapped("", "not tested: "+strings.Join(p.Plan.NotTried, ", "), verdict.Doubt)
	}
}

func (p *Rates) cells(v capacity.Variant) []string {
	highest, interval, bottleneck := text.None, text.None, text.None
	switch v.End {
	case capacity.Confirmed:
		highest, interval = PerSecond(v.Confirmed), fmt.Sprintf("[%s, %s)", RateDigits(v.Confirmed), RateDigits(v.Failed))
	case capacity.AtLeast:
		highest, interval = "≥ "+PerSecond(v.Confirmed), fmt.Sprintf("[%s, …)", RateDigits(v.Confirmed))
	case capacity.Below:
		highest, interval = "< "+PerSecond(v.Failed), fmt.Sprintf("[0, %s)", RateDigits(v.Failed))
	case capacity.Undecided, capacity.Unconfirmed, capacity.Unfinished:
		highest = p.Paint("no rate", verdict.Doubt)
	}
	switch {
	case v.End == capacity.AtLeast:
		bottleneck = "none"
	case v.Bottleneck != nil && v.Decided():
		bottleneck = p.Paint(string(v.Bottleneck.Resource), verdict.Bad)
	}
	best := v.Best()
	if best == nil || !v.Decided() {
		return []string{v.Variant, highest, interval, text.None, text.None, text.None, bottleneck}
	}
	return []string{v.Variant, highest, interval, text.Duration(best.P99), text.Percent(best.Errors()), peakOf(*best, p.Plan.NoFile), bottleneck}
}

// Remark returns the remark below the row: why there is no rate, or the bottleneck.
func (p *Rates) Remark(v capacity.Variant) string {
	held := ""
	if v.Met > 0 {
		held = fmt.Sprintf("; %s passed, unconfirmed", PerSecond(v.Met))
	}
	switch {
	case v.Unmeasured != "":
		return "not measured: " + v.Unmeasured + held
	case v.End == capacity.Undecided:
		last := lowestInconclusive(v)
		return fmt.Sprintf("no rate: inconclusive at %s: %s%s", PerSecond(last.Rate), strings.Join(last.Why, "; "), held)
	case v.End == capacity.Unconfirmed:
		return fmt.Sprintf("no rate: no tested rate passed for %s", Seconds(p.Plan.Confirm))
	case v.End == capacity.Unfinished:
		return "not finished" + held
	case v.End == capacity.AtLeast:
		return fmt.Sprintf("the highest rate allowed (--max-rate) passed for %s, so the maximum may be higher", Seconds(p.Plan.Confirm))
	case v.Bottleneck != nil:
		doubt := ""
		if p := lowestInconclusive(v); p.Rate > v.Confirmed && p.Rate < v.Failed {
			doubt = fmt.Sprintf("; inconclusive at %s: %s", PerSecond(p.Rate), strings.Join(p.Why, "; "))
		}
		return fmt.Sprintf("bottleneck: %s at %s: %s", v.Bottleneck.Resource, PerSecond(v.Failed), v.Bottleneck.Detail) + doubt
	}
	return ""
}

// Thresholds writes the range of each rate with its limit.
func (p *Rates) Thresholds() {
	if len(p.Plan.Thresholds) == 0 {
		return
	}
	p.Line("")
	p.Line(p.Bold("thresholds"))
	for _, t := range p.Plan.Thresholds {
		p.Line(p.Paint(t.Verdict().Mark(), t.Verdict().Tone()) + " " + Rule(t.Threshold))
		known := text.None
		for _, v := range p.Plan.Variants {
			if v.Variant == t.Variant {
				known = strings.Join(p.cells(v)[1:3], " ")
			}
		}
		words := fmt.Sprintf("%s, limit %s: %s", known, PerSecond(t.Limit), t.Decision)
		if t.Why != "" {
			words += "; " + t.Why
		}
		p.Wrapped("    ", words, "")
	}
}

// lowestInconclusive returns the lowest inconclusive rate.
func lowestInconclusive(v capacity.Variant) (lowest capacity.Point) {
	for _, p := range v.Points {
		if p.Decision == verdict.Inconclusive && (lowest.Rate == 0 || p.Rate < lowest.Rate) {
			lowest = p
		}
	}
	return lowest
}

// TriedGrid has a row for every point, variant by variant in the order in which they were tried.
func (p *Rates) TriedGrid() *text.Grid {
	g := &text.Grid{Columns: []text.Column{
		{Title: "rate", Right: true}, {Title: "for", Right: true}, {Title: p.Plan.Arrival() + "s", Right: true}, {Title: "p99", Right: true}, {Title: "errors", Right: true}, {Title: "FDs", Right: true}, {Title: ""},
	}}
	for _, v := range p.Plan.Variants {
		for _, t := range v.Points {
			g.Add(PerSecond(t.Rate), Seconds(t.Window), text.Count(t.Due), text.Duration(t.P99), text.Percent(t.Errors()), peakOf(t, p.Plan.NoFile), p.Paint(pointWord(t), t.Decision.Tone()))
		}
	}
	return g
}

// Tried lists the points.
func (p *Rates) Tried() {
	g := p.TriedGrid()
	widths, row := g.Widths(), 0
	for _, v := range p.Plan.Variants {
		p.Line("")
		p.Line(p.Bold(v.Variant))
		if len(v.Points) == 0 {
			p.Line("  " + p.Paint("no rate was tested completely", verdict.Faint))
			continue
		}
		p.Line("  " + p.Paint(g.Line(g.Titles(), widths), verdict.Faint))
		for _, t := range v.Points {
			p.Line("  " + g.Line(g.Rows[row], widths))
			row++
			if len(t.Why) > 0 {
				p.Wrapped("      ", strings.Join(t.Why, "; "), verdict.Faint)
			}
		}
	}
}

// End writes where the plan was measured and how it ended.
func (p *Rates) End() {
	m, env := p.Plan.Machine, p.Plan.Environment
	p.Line("")
	p.Fact("environment", "%s: %s, %s", env.Kind, env.Database, env.Upstream)
	if p.Plan.External != "" {
		p.Fact("external", "%s", p.Plan.External)
	}
	p.Fact("machine", "%s", MachineLine(m))
	for _, words := range Disturbances(p.Plan.Noise) {
		p.Fact("noise", "%s", words)
	}
	p.Fact("inconclusive", "if the mock upstream was too slow, or the generator sent more than 1 %% of the %ss %s late or later", p.Plan.Arrival(), text.Duration(p.Plan.LagBound))
	if p.Plan.Records != "" {
		p.Fact("records", "%s", p.Plan.Records)
	}
	p.Line("")
	p.Line(fmt.Sprintf("%s (exit code %d)", p.Bold(p.Decided()), p.Plan.Exit))
}

// Decided returns the number of variants whose rate is known.
func (p *Rates) Decided() string {
	decided := 0
	for _, v := range p.Plan.Variants {
		if v.Unmeasured == "" && v.Decided() {
			decided++
		}
	}
	words := fmt.Sprintf("%d of %s decided", decided, text.Plural(len(p.Plan.Variants)+len(p.Plan.NotTried), "variant", "variants"))
	if p.Plan.Interrupted {
		words += ", interrupted"
	}
	return words
}

// PerSecond writes a rate with its unit: "12.5/s".
func PerSecond(r float64) string { return RateDigits(r) + "/s" }

// RateDigits formats a rate, which is rounded already.
func RateDigits(r float64) string { return strconv.FormatFloat(r, 'f', -1, 64) }

// Seconds writes a window: "5 s", "1.5 s".
func Seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'g', 4, 64) + " s"
}

func peakOf(p capacity.Point, nofile int) string {
	if p.Peak == nil {
		return text.None
	}
	return fmt.Sprintf("%s/%s", text.Count(*p.Peak), text.Count(nofile))
}

// Limit describes the recommended limit, if the plan is one of limits.
func (p *Rates) Limit() {
	if p.Plan.Limit == nil {
		return
	}
	p.Line("")
	p.Wrapped("", p.LimitText(*p.Plan.Limit), "")
}

// LimitText describes the recommended limit, or why there is none.
func (p *Rates) LimitText(l capacity.RateLimit) string {
	switch {
	case l.Limit > 0:
		return fmt.Sprintf("recommended limit: %d, the smallest tested limit whose rate reaches %.0f %% of the highest confirmed rate (%s at %d), within the resolution of the intervals",
			l.Limit, 100*capacity.RequiredReach, PerSecond(l.Highest), l.Peak)
	case l.Highest > 0:
		return fmt.Sprintf("no limit can be recommended yet: %s. The highest rate confirmed so far is %s, at %d", l.Why, PerSecond(l.Highest), l.Peak)
	case l.Why != "":
		return "no limit can be recommended yet: " + l.Why
	}
	return "no limit has a confirmed rate"
}
