package report

import (
	"fmt"
	"io"

	"floodgate/results/capacity"
	"floodgate/results/report/content"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/results/whatif"
)

// Limits writes a plan of limits for a terminal: the figures of each limit, the
// model, the recommended limit and its settings.
func Limits(w io.Writer, plan *capacity.Limits, o text.Options) error {
	p := &content.Limits{Printer: text.NewPrinter(o, 80), Plan: plan}
	p.Line(p.Bold(p.Title()))
	p.Terms()
	p.Table()
	p.Model()
	p.Recommendation()
	p.Simulation()
	p.Config()
	p.End()
	return p.Flush(w, fmt.Sprintf("plan %q", plan.ID))
}

// LimitsJSON writes a plan of limits, indented, with a newline at its end.
func LimitsJSON(w io.Writer, plan *capacity.Limits) error {
	return content.WriteJSON(w, plan, fmt.Sprintf("plan %q", plan.ID))
}

// Rates writes a plan of rates for a terminal: the highest rate that each variant
// sustains, the bottlenecks, and all tested rates.
func Rates(w io.Writer, plan *capacity.Rates, o text.Options) error {
	p := &content.Rates{Printer: text.NewPrinter(o, 80), Plan: plan}
	p.Line(p.Bold(plan.Scenario + ": highest sustained rate"))
	p.Terms()
	p.Table()
	p.Limit()
	p.Thresholds()
	p.Tried()
	p.End()
	return p.Flush(w, fmt.Sprintf("plan %q", plan.ID))
}

// RatesJSON writes a plan, indented, with a newline at its end.
func RatesJSON(w io.Writer, plan *capacity.Rates) error {
	return content.WriteJSON(w, plan, fmt.Sprintf("plan %q", plan.ID))
}

// WhatIf writes a prediction for a terminal: the figures, the stages of an item's
// time, the errors of the model at the measured points, and what is outside of their
// range.
func WhatIf(w io.Writer, a *whatif.Answer, o text.Options) error {
	p := &content.WhatIf{Printer: text.NewPrinter(o, 80), Answer: a}
	p.Line(p.Bold("what if " + a.Spec))
	p.Prediction()
	p.Grid(p.StageGrid())
	if checks, remark := p.CheckGrid(); len(checks.Rows) > 0 { // else all are of several hosts
		p.Grid(checks)
		p.Wrapped("", remark, verdict.Faint)
	}
	if fleets := p.FleetGrid(); len(fleets.Rows) > 0 {
		p.Grid(fleets)
	}
	p.Line("")
	p.LargestErrors()
	p.Limitations()
	return p.Flush(w, fmt.Sprintf("what-if %q", a.Spec))
}

// WhatIfJSON writes a prediction, indented, with a newline at its end.
func WhatIfJSON(w io.Writer, a *whatif.Answer) error {
	return content.WriteJSON(w, a, fmt.Sprintf("what-if %q", a.Spec))
}
