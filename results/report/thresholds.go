package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"floodgate/results/gate"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// thresholds writes each budget in its author's words, and the value beside
// the limit at every level.
func (p *printer) thresholds() {
	if len(p.v.Thresholds) == 0 {
		return
	}
	p.Line("")
	p.Line(p.Bold("thresholds"))
	for _, t := range p.v.Thresholds {
		p.threshold(t)
	}
}

func (p *printer) threshold(t gate.Threshold) {
	mark := p.Paint(t.Verdict().Mark(), t.Verdict().Tone())
	for _, l := range p.Wrap(ruleOf(t.Threshold), 2) {
		p.Line(mark + " " + l)
		mark = " "
	}
	for _, n := range t.Notes {
		p.Wrapped("    ", n, doubt)
	}
	g := &text.Grid{Columns: make([]text.Column, 4)}
	for _, e := range t.Evidence {
		g.Add(p.levelOf(e), besideLimit(t, e), "n="+text.Count(e.N), p.word(e.Decision))
	}
	p.points(g, t.Evidence)
}

// ruleOf is the rule in its author's words, and what else is said of it.
func ruleOf(t verdict.Threshold) string {
	var remarks []string
	if t.Margin > 0 {
		remarks = append(remarks, "margin "+unpadded(t.Margin))
	}
	if t.Abort {
		remarks = append(remarks, "ends the run")
	}
	if t.OnlyWarns() {
		remarks = append(remarks, "only warns")
	}
	rule := strings.Join(strings.Fields(t.Rule), " ")
	if remarks != nil {
		rule += " (" + strings.Join(remarks, ", ") + ")"
	}
	return rule
}

// budgets says in one text how many thresholds were met; none where there are none.
func budgets(v *gate.Verdict) []string {
	if len(v.Thresholds) == 0 {
		return nil
	}
	met, warned, open := 0, 0, 0
	for _, t := range v.Thresholds {
		switch {
		case t.Decision == verdict.Met:
			met++
		case t.Decision == verdict.Undecided:
			open++
		case t.OnlyWarns():
			warned++
		}
	}
	words := fmt.Sprintf("%d of %s met", met, text.Plural(len(v.Thresholds), "threshold", "thresholds"))
	if open > 0 {
		words += fmt.Sprintf(", %d inconclusive", open)
	}
	if warned > 0 {
		words += fmt.Sprintf(", %d violated as a mere warning", warned)
	}
	return []string{words}
}

// besideLimit is the value with its limit, by the sign that is true of them;
// the budget's own with a question mark where it is open.
func besideLimit(t gate.Threshold, e gate.Evidence) string {
	if e.Kind == gate.KindReduction {
		words := text.OrNone(e.Value, text.Percent)
		if e.Low != nil {
			words += fmt.Sprintf(" [%s, %s]", text.Points(*e.Low), text.Points(*e.High))
		}
		return words + " " + signOf(t, e) + " " + text.Percent(*e.Limit)
	}
	value, limit := text.None, inUnit(*e.Limit, t.Unit)
	if e.Value != nil {
		value = inUnit(*e.Value, t.Unit)
		if value == limit && *e.Value != *e.Limit { // the same three digits
			value = t.Unit.Text(*e.Value)
		}
	}
	return value + " " + signOf(t, e) + " " + limit
}

func signOf(t gate.Threshold, e gate.Evidence) string {
	signs := map[string][2]string{"<": {"<", "≥"}, "<=": {"≤", ">"}, ">": {">", "≤"}, ">=": {"≥", "<"}, "==": {"=", "≠"}}[t.Op]
	if e.Decision == verdict.Undecided || e.Value == nil {
		return signs[0] + "?"
	}
	b := scenarios.Budget{Op: t.Op, Limit: *e.Limit}
	if met, _ := b.Met(*e.Value, 0); !met {
		return signs[1]
	}
	return signs[0]
}

// inUnit writes a value of a threshold for people.
func inUnit(v float64, unit scenarios.Unit) string {
	switch unit {
	case scenarios.UnitTime:
		return text.Duration(time.Duration(v))
	case scenarios.UnitBytes:
		return mebibytes(int64(v))
	case scenarios.UnitShare:
		return text.Percent(v)
	case scenarios.UnitRate:
		return unit.Text(v)
	}
	return text.Count(int(v))
}

// unpadded is a share in percent with as many decimals as it has, up to six: "5 %".
func unpadded(share float64) string {
	return fmt.Sprintf("%g %%", math.Round(1e8*share)/1e6)
}
