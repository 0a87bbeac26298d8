package report

import (
	"fmt"
	"io"

	"floodgate/results/capacity"
	"floodgate/results/report/content"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
	"floodgate/results/whatif"
)

// Limits writes a plan of limits for a person: what each limit gave, the model
// of it, the limit to take and the settings that follow.
func Limits(w io.Writer, plan *capacity.Limits, o text.Options) error {
	p := &content.Limits{Printer: text.NewPrinter(o, 80), Plan: plan}
	p.Line(p.Bold(plan.Scenario + ": recommended limit"))
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

// Rates writes a plan for a person: the highest rate that each variant
// sustains, what gave out first, and all rates that were tried.
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

// WhatIf writes a prediction for a person: what it says, where an item's time
// goes, how wrong the same model is on what was measured, and what lies outside
// of that.
func WhatIf(w io.Writer, a *whatif.Answer, o text.Options) error {
	p := &content.WhatIf{Printer: text.NewPrinter(o, 80), Answer: a}
	p.Line(p.Bold("what if " + a.Spec))
	p.Prediction()
	p.Grid(p.StageGrid())
	checks, remark := p.CheckGrid()
	p.Grid(checks)
	p.Wrapped("", remark, verdict.Faint)
	p.Line("")
	p.Worsts()
	p.Doubts()
	return p.Flush(w, fmt.Sprintf("what-if %q", a.Spec))
}

// WhatIfJSON writes a prediction, indented, with a newline at its end.
func WhatIfJSON(w io.Writer, a *whatif.Answer) error {
	return content.WriteJSON(w, a, fmt.Sprintf("what-if %q", a.Spec))
}
