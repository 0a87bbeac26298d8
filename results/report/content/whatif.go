package content

import (
	"fmt"
	"math"
	"strings"
	"time"

	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/results/whatif"
)

// WhatIf is the content of a prediction, for every format.
type WhatIf struct {
	text.Printer
	Answer *whatif.Answer
}

// Prediction writes the predicted values.
func (p *WhatIf) Prediction() {
	a := p.Answer
	each := ""
	if a.Hosts > 1 {
		each = fmt.Sprintf(" on each of %s hosts", text.Count(a.Hosts))
	}
	p.Fact("pipeline", "%s%s, %s", a.Strategy, each, text.Plural(a.Items, "item", "items"))
	if a.Exhausts {
		p.Fact("", "%s", p.Paint(fmt.Sprintf("too many open files: a host needs %s descriptors and may open %s; the prediction assumes that it had them", text.Count(a.Descriptors), text.Count(a.NoFile)), verdict.Bad))
	}
	p.Fact("inputs", "median fetch %s (p99 %s), median write %s", text.Duration(a.FetchP50), text.Duration(a.FetchP99), text.Duration(a.WriteP50))
	p.Line("")
	spread := ""
	if a.Min < a.Max {
		spread = fmt.Sprintf(" (%s to %s, depending on the order of the items)", text.Duration(a.Min), text.Duration(a.Max))
	}
	p.Fact("makespan", "%s%s", p.Bold(text.Duration(a.Makespan)), spread)
	p.Fact("throughput", "%s items/s", text.Digits(a.Throughput))
	p.Fact("item", "p50 %s, p95 %s, p99 %s", text.Duration(a.P50), text.Duration(a.P95), text.Duration(a.P99))
	p.Fact("in flight", "%s on average, %s at most%s", text.Digits(a.InFlight), text.Count(a.Peak), p.perHost(a.PeakHost))
	words := text.Count(a.AllDescriptors) + " at most" + p.perHost(a.Descriptors)
	if a.NoFile > 0 {
		words += fmt.Sprintf(", of %s that a host may open", text.Count(a.NoFile))
	}
	p.Fact("descriptors", "%s", words)
	busy := fmt.Sprintf("as busy as at a limit of %s", text.Digits(a.EquivalentLimit))
	if a.Extrapolated {
		busy = "busier than in any measurement"
	}
	if a.DatabaseBound > 0 {
		busy += fmt.Sprintf("; at most about %s writes/s (estimated)", text.Digits(a.DatabaseBound))
	}
	p.Fact("database", "%s", busy)
}

func (p *WhatIf) perHost(n int) string {
	if p.Answer.Hosts == 1 {
		return ""
	}
	return fmt.Sprintf(", %s on a host", text.Count(n))
}

// StageGrid has the stages of an item's time.
func (p *WhatIf) StageGrid() *text.Grid {
	g := &text.Grid{Columns: []text.Column{{Title: "time of an item"}, {Title: "mean", Right: true}, {Title: "share", Right: true}}}
	for _, s := range p.Answer.Stages {
		g.Add(s.Stage, text.Duration(s.Mean), text.Percent(s.Share))
	}
	return g
}

// Grid writes a table that fits the width.
func (p *WhatIf) Grid(g *text.Grid) {
	g.Fit(p.Width)
	widths := g.Widths()
	p.Line("")
	p.Titles(g, widths)
	for _, row := range g.Rows {
		p.Line(g.Line(row, widths))
	}
}

// FleetGrid compares the predictions with the measurements on several hosts; it has no rows
// if there are none. Fleets are never part of the calibration, except the smallest ones.
func (p *WhatIf) FleetGrid() *text.Grid {
	g := &text.Grid{Columns: []text.Column{
		{Title: "fleet"}, {Title: "hosts", Right: true}, {Title: "items", Right: true}, {Title: "measured", Right: true},
		{Title: "trials", Right: true, Drop: 1}, {Title: "predicted", Right: true}, {Title: "error", Right: true},
	}}
	for _, c := range p.Answer.Validation.Fleets() {
		e := c.Error().Makespan
		g.Add(c.Variant, text.Count(max(c.Hosts, 1)), text.Count(c.Items), text.Duration(c.Makespan), fmt.Sprintf("%s to %s", text.Duration(c.Min), text.Duration(c.Max)),
			text.Duration(time.Duration(float64(c.Makespan)*(1+e))), p.relative(e, whatif.TargetMakespan))
	}
	return g
}

// CheckGrid has the errors at the measured points, with an explanation.
func (p *WhatIf) CheckGrid() (*text.Grid, string) {
	g := &text.Grid{Columns: []text.Column{
		{Title: "measured"}, {Title: "items", Right: true}, {Title: "makespan", Right: true}, {Title: "trials", Right: true, Drop: 1},
		{Title: "error", Right: true}, {Title: "left out", Right: true}, {Title: "p99", Right: true}, {Title: "error", Right: true}, {Title: "left out", Right: true},
	}}
	extrapolated := false
	for _, c := range p.Answer.Validation.Checks {
		if c.Hosts > 1 { // see FleetGrid
			continue
		}
		spread := fmt.Sprintf("%s to %s", text.Duration(c.Min), text.Duration(c.Max))
		mark := ""
		if c.Extrapolated {
			mark, extrapolated = "*", true
		}
		makespan := func(e whatif.Errors) string { return p.relative(e.Makespan, whatif.TargetMakespan) }
		p99 := func(e whatif.Errors) string { return p.relative(e.P99, whatif.TargetP99) }
		g.Add(c.Variant+mark, text.Count(c.Items), text.Duration(c.Makespan), spread,
			text.OrNone(c.InSample, makespan), text.OrNone(c.LeftOut, makespan), text.Duration(c.P99), text.OrNone(c.InSample, p99), text.OrNone(c.LeftOut, p99))
	}
	words := "error: model fitted with the point; left out: model fitted without it"
	if extrapolated {
		words += "; *: without the point, the model extrapolates"
	}
	return g, words
}

// LargestErrors writes the largest errors of the model, by how well it knew the points.
func (p *WhatIf) LargestErrors() {
	p.worst("known", p.Answer.Validation.InSample)
	p.worst("left out", p.Answer.Validation.LeftOut)
	if beyond := p.Answer.Validation.Extrapolated; beyond != nil {
		p.worst("beyond *", beyond)
	}
}

// worst compares the largest errors with the targets.
func (p *WhatIf) worst(label string, e *whatif.Errors) {
	if e == nil {
		p.Fact(label, "no point to compare with")
		return
	}
	within := p.Paint("within", verdict.Good)
	if !e.Within() {
		within = p.Paint("not within", verdict.Bad)
	}
	p.Fact(label, "largest errors: makespan %s, p99 %s: %s the targets of %.0f %% and %.0f %%",
		text.Percent(e.Makespan), text.Percent(e.P99), within, 100*whatif.TargetMakespan, 100*whatif.TargetP99)
}

// relative formats an error with its sign, colored if it misses the target.
func (p *WhatIf) relative(e, target float64) string {
	words := text.Percent(e)
	if !strings.HasPrefix(words, "-") {
		words = "+" + words
	}
	if math.Abs(e) > target {
		return p.Paint(words, verdict.Bad)
	}
	return words
}

// Limitations writes the calibrated range, what lies outside of it, and the caveats.
func (p *WhatIf) Limitations() {
	r := p.Answer.Range
	items := text.Count(r.MinItems)
	if r.MaxItems > r.MinItems {
		items += " to " + text.Count(r.MaxItems)
	}
	p.Fact("range", "limits %s to %s, %s items, median fetch %s, median write %s; %s",
		text.Count(r.MinLimit), text.Count(r.MaxLimit), items, text.Duration(r.FetchP50.Round(time.Microsecond)), text.Duration(r.WriteP50), strings.Join(r.Strategies, ", "))
	if len(p.Answer.Outside) == 0 {
		p.Fact("", "%s", p.Paint("the prediction lies within it", verdict.Good))
	} else {
		p.Fact("outside", "%s", p.Paint("extrapolated, not validated by any measurement:", verdict.Doubt))
		for _, words := range p.Answer.Outside {
			p.Fact("", "%s", words)
		}
	}
	for i, words := range p.Answer.Caveats {
		label := ""
		if i == 0 {
			label = "caveats"
		}
		p.Fact(label, "%s", words)
	}
}
