package report

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"floodgate/results/capacity/whatif"
)

// WhatIf writes a prediction for a person: what it says, where an item's time
// goes, how wrong the same model is on what was measured, and what lies outside
// of that.
func WhatIf(w io.Writer, a *whatif.Answer, o Options) error {
	if o.Width == 0 {
		o.Width = 100
	}
	p := &whatIfPrinter{printer: printer{width: max(o.Width, 80), color: o.Color}, a: a}
	p.line(p.bold("what if " + a.Spec))
	p.prediction()
	p.grid(p.stageGrid())
	checks, remark := p.checkGrid()
	p.grid(checks)
	p.wrapped("", remark, faint)
	p.line("")
	p.worsts()
	p.doubts()
	if _, err := w.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("write what-if %q: %w", a.Spec, err)
	}
	return nil
}

// WhatIfMarkdown writes a prediction as Markdown, with all that [WhatIf] has.
func WhatIfMarkdown(w io.Writer, a *whatif.Answer) error {
	p := &whatIfPrinter{printer: printer{width: 96}, a: a}
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
		each = fmt.Sprintf(" on each of %s hosts", count(a.Hosts))
	}
	p.row("pipeline", "%s%s, %s", a.Strategy, each, plural(a.Items, "item", "items"))
	if a.Exhausts {
		p.row("", "%s", p.paint(fmt.Sprintf("too many open files: a host needs %s descriptors and may open %s; what follows is as if it had them", count(a.Descriptors), count(a.NoFile)), bad))
	}
	p.row("fed with", "a fetch of %s (p99 %s) and a write of %s in the median", duration(a.FetchP50), duration(a.FetchP99), duration(a.WriteP50))
	p.line("")
	spread := ""
	if a.Least < a.Most {
		spread = fmt.Sprintf(" (%s to %s, by the items' order)", duration(a.Least), duration(a.Most))
	}
	p.row("makespan", "%s%s", p.bold(duration(a.Makespan)), spread)
	p.row("throughput", "%s items/s", digits(a.Throughput))
	p.row("item", "p50 %s, p95 %s, p99 %s", duration(a.P50), duration(a.P95), duration(a.P99))
	p.row("in flight", "%s in the mean, %s at most%s", digits(a.InFlight), count(a.Peak), p.perHost(a.PeakHost))
	text := count(a.AllDescriptors) + " at most" + p.perHost(a.Descriptors)
	if a.NoFile > 0 {
		text += fmt.Sprintf(", of %s that one may open", count(a.NoFile))
	}
	p.row("descriptors", "%s", text)
	busy := fmt.Sprintf("as busy as at a limit of %s", digits(a.BusyAs))
	if a.Beyond {
		busy = "busier than it was ever measured"
	}
	if a.DatabaseBound > 0 {
		busy += fmt.Sprintf("; at most about %s writes/s (estimated)", digits(a.DatabaseBound))
	}
	p.row("database", "%s", busy)
}

func (p *whatIfPrinter) perHost(n int) string {
	if p.a.Hosts == 1 {
		return ""
	}
	return fmt.Sprintf(", %s on a host", count(n))
}

// stageGrid is where an item's time goes.
func (p *whatIfPrinter) stageGrid() *grid {
	g := &grid{columns: []column{{title: "where an item's time goes"}, {title: "mean", right: true}, {title: "share", right: true}}}
	for _, s := range p.a.Stages {
		g.add(s.Stage, duration(s.Mean), percent(s.Share))
	}
	return g
}

func (p *whatIfPrinter) grid(g *grid) {
	g.fit(p.width)
	widths := g.widths()
	p.line("")
	p.line(p.paint(g.line(g.titles(), widths), faint))
	for _, row := range g.rows {
		p.line(g.line(row, widths))
	}
}

// checkGrid are the errors on the points that were measured, and what they mean.
func (p *whatIfPrinter) checkGrid() (*grid, string) {
	g := &grid{columns: []column{
		{title: "measured"}, {title: "items", right: true}, {title: "makespan", right: true}, {title: "trials", right: true, drop: 1},
		{title: "error", right: true}, {title: "left out", right: true}, {title: "p99", right: true}, {title: "error", right: true}, {title: "left out", right: true},
	}}
	extrapolated := false
	for _, c := range p.a.Validation.Checks {
		spread := fmt.Sprintf("%s to %s", duration(c.Least), duration(c.Most))
		mark := ""
		if c.Extrapolated {
			mark, extrapolated = "*", true
		}
		makespan := func(e whatif.Errors) string { return p.relative(e.Makespan, whatif.TargetMakespan) }
		p99 := func(e whatif.Errors) string { return p.relative(e.P99, whatif.TargetP99) }
		g.add(c.Variant+mark, count(c.Items), duration(c.Makespan), spread,
			orNone(c.InSample, makespan), orNone(c.LeftOut, makespan), duration(c.P99), orNone(c.InSample, p99), orNone(c.LeftOut, p99))
	}
	text := "error: of the model that knows the point; left out: of one that does not"
	if extrapolated {
		text += "; * without the point it extrapolates"
	}
	return g, text
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
	verdict := p.paint("within", good)
	if !e.Within() {
		verdict = p.paint("not within", bad)
	}
	p.row(label, "makespan %s, p99 %s off at worst: %s the targets of %.0f %% and %.0f %%",
		percent(e.Makespan), percent(e.P99), verdict, 100*whatif.TargetMakespan, 100*whatif.TargetP99)
}

// relative is an error with its sign, painted where it misses the target.
func (p *whatIfPrinter) relative(e, target float64) string {
	text := percent(e)
	if !strings.HasPrefix(text, "-") {
		text = "+" + text
	}
	if math.Abs(e) > target {
		return p.paint(text, bad)
	}
	return text
}

func (p *whatIfPrinter) doubts() {
	r := p.a.Range
	items := count(r.LeastItems)
	if r.MostItems > r.LeastItems {
		items += " to " + count(r.MostItems)
	}
	p.row("range", "limits %s to %s, %s items, a fetch of %s and a write of %s in the median; %s",
		count(r.LeastLimit), count(r.MostLimit), items, duration(r.FetchP50.Round(time.Microsecond)), duration(r.WriteP50), strings.Join(r.Strategies, ", "))
	if len(p.a.Outside) == 0 {
		p.row("", "%s", p.paint("what is asked for lies within it", good))
	} else {
		p.row("outside", "%s", p.paint("extrapolated, not checked by any measurement:", doubt))
		for _, text := range p.a.Outside {
			p.row("", "%s", text)
		}
	}
	for i, text := range p.a.Caveats {
		label := ""
		if i == 0 {
			label = "caveats"
		}
		p.row(label, "%s", text)
	}
}
