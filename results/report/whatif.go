package report

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"floodgate/results/capacity/whatif"
	"floodgate/results/report/text"
)

// WhatIf writes a prediction for a person: what it says, where an item's time
// goes, how wrong the same model is on what was measured, and what lies outside
// of that.
func WhatIf(w io.Writer, a *whatif.Answer, o text.Options) error {
	p := &whatIfPrinter{printer: printer{Printer: text.NewPrinter(o, 80)}, a: a}
	p.Line(p.Bold("what if " + a.Spec))
	p.prediction()
	p.grid(p.stageGrid())
	checks, remark := p.checkGrid()
	p.grid(checks)
	p.Wrapped("", remark, faint)
	p.Line("")
	p.worsts()
	p.doubts()
	return p.Flush(w, fmt.Sprintf("what-if %q", a.Spec))
}

// WhatIfMarkdown writes a prediction as Markdown, with all that [WhatIf] has.
func WhatIfMarkdown(w io.Writer, a *whatif.Answer) error {
	p := &whatIfPrinter{printer: printer{Printer: text.Printer{Width: 96}}, a: a}
	var out bytes.Buffer
	fmt.Fprintf(&out, "## %s\n", escaped("what if "+a.Spec))
	p.prediction()
	fenced(&out, p.taken())
	planTable(&out, p.stageGrid())
	checks, remark := p.checkGrid()
	planTable(&out, checks)
	planRemark(&out, remark)
	p.worsts()
	p.doubts()
	fenced(&out, p.taken())
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write what-if %q: %w", a.Spec, err)
	}
	return nil
}

// WhatIfJSON writes a prediction, indented, with a newline at its end.
func WhatIfJSON(w io.Writer, a *whatif.Answer) error {
	return writeJSON(w, a, fmt.Sprintf("what-if %q", a.Spec))
}

type whatIfPrinter struct {
	printer
	a *whatif.Answer
}

// row is a label as wide as the indent, and its text.
func (p *whatIfPrinter) row(label, format string, args ...any) {
	p.hanging(fmt.Sprintf("%-*s", indent, label) + fmt.Sprintf(format, args...))
}

func (p *whatIfPrinter) prediction() {
	a := p.a
	each := ""
	if a.Hosts > 1 {
		each = fmt.Sprintf(" on each of %s hosts", text.Count(a.Hosts))
	}
	p.row("pipeline", "%s%s, %s", a.Strategy, each, text.Plural(a.Items, "item", "items"))
	if a.Exhausts {
		p.row("", "%s", p.Paint(fmt.Sprintf("too many open files: a host needs %s descriptors and may open %s; what follows is as if it had them", text.Count(a.Descriptors), text.Count(a.NoFile)), bad))
	}
	p.row("fed with", "a fetch of %s (p99 %s) and a write of %s in the median", text.Duration(a.FetchP50), text.Duration(a.FetchP99), text.Duration(a.WriteP50))
	p.Line("")
	spread := ""
	if a.Least < a.Most {
		spread = fmt.Sprintf(" (%s to %s, by the items' order)", text.Duration(a.Least), text.Duration(a.Most))
	}
	p.row("makespan", "%s%s", p.Bold(text.Duration(a.Makespan)), spread)
	p.row("throughput", "%s items/s", text.Digits(a.Throughput))
	p.row("item", "p50 %s, p95 %s, p99 %s", text.Duration(a.P50), text.Duration(a.P95), text.Duration(a.P99))
	p.row("in flight", "%s in the mean, %s at most%s", text.Digits(a.InFlight), text.Count(a.Peak), p.perHost(a.PeakHost))
	words := text.Count(a.AllDescriptors) + " at most" + p.perHost(a.Descriptors)
	if a.NoFile > 0 {
		words += fmt.Sprintf(", of %s that one may open", text.Count(a.NoFile))
	}
	p.row("descriptors", "%s", words)
	busy := fmt.Sprintf("as busy as at a limit of %s", text.Digits(a.BusyAs))
	if a.Beyond {
		busy = "busier than it was ever measured"
	}
	if a.DatabaseBound > 0 {
		busy += fmt.Sprintf("; at most about %s writes/s (estimated)", text.Digits(a.DatabaseBound))
	}
	p.row("database", "%s", busy)
}

func (p *whatIfPrinter) perHost(n int) string {
	if p.a.Hosts == 1 {
		return ""
	}
	return fmt.Sprintf(", %s on a host", text.Count(n))
}

// stageGrid is where an item's time goes.
func (p *whatIfPrinter) stageGrid() *text.Grid {
	g := &text.Grid{Columns: []text.Column{{Title: "where an item's time goes"}, {Title: "mean", Right: true}, {Title: "share", Right: true}}}
	for _, s := range p.a.Stages {
		g.Add(s.Stage, text.Duration(s.Mean), text.Percent(s.Share))
	}
	return g
}

func (p *whatIfPrinter) grid(g *text.Grid) {
	g.Fit(p.Width)
	widths := g.Widths()
	p.Line("")
	p.Titles(g, widths)
	for _, row := range g.Rows {
		p.Line(g.Line(row, widths))
	}
}

// checkGrid are the errors on the points that were measured, and what they mean.
func (p *whatIfPrinter) checkGrid() (*text.Grid, string) {
	g := &text.Grid{Columns: []text.Column{
		{Title: "measured"}, {Title: "items", Right: true}, {Title: "makespan", Right: true}, {Title: "trials", Right: true, Drop: 1},
		{Title: "error", Right: true}, {Title: "left out", Right: true}, {Title: "p99", Right: true}, {Title: "error", Right: true}, {Title: "left out", Right: true},
	}}
	extrapolated := false
	for _, c := range p.a.Validation.Checks {
		spread := fmt.Sprintf("%s to %s", text.Duration(c.Least), text.Duration(c.Most))
		mark := ""
		if c.Extrapolated {
			mark, extrapolated = "*", true
		}
		makespan := func(e whatif.Errors) string { return p.relative(e.Makespan, whatif.TargetMakespan) }
		p99 := func(e whatif.Errors) string { return p.relative(e.P99, whatif.TargetP99) }
		g.Add(c.Variant+mark, text.Count(c.Items), text.Duration(c.Makespan), spread,
			text.OrNone(c.InSample, makespan), text.OrNone(c.LeftOut, makespan), text.Duration(c.P99), text.OrNone(c.InSample, p99), text.OrNone(c.LeftOut, p99))
	}
	words := "error: of the model that knows the point; left out: of one that does not"
	if extrapolated {
		words += "; * without the point it extrapolates"
	}
	return g, words
}

func (p *whatIfPrinter) worsts() {
	p.worst("known", p.a.Validation.InSample)
	p.worst("left out", p.a.Validation.LeftOut)
	if beyond := p.a.Validation.Extrapolated; beyond != nil {
		p.worst("beyond *", beyond)
	}
}

// worst compares the greatest errors with the targets.
func (p *whatIfPrinter) worst(label string, e *whatif.Errors) {
	if e == nil {
		p.row(label, "no point to tell by")
		return
	}
	verdict := p.Paint("within", good)
	if !e.Within() {
		verdict = p.Paint("not within", bad)
	}
	p.row(label, "makespan %s, p99 %s off at worst: %s the targets of %.0f %% and %.0f %%",
		text.Percent(e.Makespan), text.Percent(e.P99), verdict, 100*whatif.TargetMakespan, 100*whatif.TargetP99)
}

// relative is an error with its sign, painted where it misses the target.
func (p *whatIfPrinter) relative(e, target float64) string {
	words := text.Percent(e)
	if !strings.HasPrefix(words, "-") {
		words = "+" + words
	}
	if math.Abs(e) > target {
		return p.Paint(words, bad)
	}
	return words
}

func (p *whatIfPrinter) doubts() {
	r := p.a.Range
	items := text.Count(r.LeastItems)
	if r.MostItems > r.LeastItems {
		items += " to " + text.Count(r.MostItems)
	}
	p.row("range", "limits %s to %s, %s items, a fetch of %s and a write of %s in the median; %s",
		text.Count(r.LeastLimit), text.Count(r.MostLimit), items, text.Duration(r.FetchP50.Round(time.Microsecond)), text.Duration(r.WriteP50), strings.Join(r.Strategies, ", "))
	if len(p.a.Outside) == 0 {
		p.row("", "%s", p.Paint("what is asked for lies within it", good))
	} else {
		p.row("outside", "%s", p.Paint("extrapolated, not checked by any measurement:", doubt))
		for _, words := range p.a.Outside {
			p.row("", "%s", words)
		}
	}
	for i, words := range p.a.Caveats {
		label := ""
		if i == 0 {
			label = "caveats"
		}
		p.row(label, "%s", words)
	}
}
