package html

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/report/html/chart"
	"floodgate/results/summary"
	"floodgate/results/text"
	"floodgate/scenarios"
)

// adaptiveLimits draws the limit of each adaptive variant over time, against the best fixed
// limit between the steps of the upstream.
func (p *pictures) adaptiveLimits() (section, error) {
	s := section{ID: "adaptive-limits", Title: "Adaptive limits over time",
		Detail: "One trial per variant, the first that was measured. The dashed line is the best fixed limit: the smallest one with 95 % of the highest throughput from step to step."}
	for _, l := range p.index.Levels {
		p.adaptive(&s.Figures, l)
	}
	if len(s.Figures) == 0 {
		return section{}, nil
	}
	return s, nil
}

// sampledTrial returns the first measured trial with a time series; nil means none.
func sampledTrial(trials []*results.Trial) *results.Trial {
	i := slices.IndexFunc(trials, func(t *results.Trial) bool {
		return t.Outcome == results.OutcomeOK && t.Series != nil && len(t.Series.At) > 0
	})
	if i < 0 {
		return nil
	}
	return trials[i]
}

// adaptive draws the limits at a level.
func (p *pictures) adaptive(to *[]picture, l scenarios.Level) {
	x, y := overTime("limit (slots)")
	x.Label = "time since the first item"
	c := chart.Chart{Title: p.titled("Limit", l.Name), Text: "The limit of each adaptive variant over time, with the best fixed limit.", X: x, Y: y}
	head, longest := []string{"time"}, 0.0
	for _, v := range p.index.Scenario.Variants {
		t := sampledTrial(p.index.Trials(v.Name, l.Name))
		if t == nil || !t.Series.Known(results.ColumnSlotLimit, 0) {
			continue
		}
		line := chart.Series{Name: v.Name, Color: p.color(v.Name), Step: true, Bare: true}
		for i, at := range t.Series.At {
			line.Points = append(line.Points, chart.Point{X: float64(at) / 1000, Y: float64(t.Series.Value(results.ColumnSlotLimit, i))})
		}
		longest = max(longest, line.Points[len(line.Points)-1].X)
		c.Series, head = append(c.Series, line), append(head, v.Name)
	}
	if len(c.Series) == 0 {
		return
	}
	var fixed []string
	best := chart.Series{Name: "best fixed", Color: chart.Neutral, Dashed: true, Step: true, Bare: true}
	for _, g := range summary.Segments(l.Scenario) {
		if g.From > 0 {
			c.References = append(c.References, chart.Reference{Vertical: true, At: g.From.Seconds(), Label: fmt.Sprintf("step at %g s", g.From.Seconds())})
		}
		v, ok := p.index.BestFixedIn(l, g)
		if !ok {
			continue
		}
		until := longest
		if g.To > 0 {
			until = min(g.To.Seconds(), longest)
		}
		best.Points = append(best.Points, chart.Point{X: g.From.Seconds(), Y: float64(v.Limit)}, chart.Point{X: until, Y: float64(v.Limit)})
		fixed = append(fixed, fmt.Sprintf("%d from %g s", v.Limit, g.From.Seconds()))
	}
	detail := "no fixed limit was measured"
	if len(best.Points) > 0 {
		c.Series, head = append(c.Series, best), append(head, "best fixed")
		detail = "best fixed limit: " + strings.Join(fixed, ", ")
	}
	p.add(to, c, picture{Detail: detail, Head: head, Rows: atTimes(c, longest)})
}

// atTimes returns the values of stepped lines at twenty times.
func atTimes(c chart.Chart, end float64) (rows [][]string) {
	const n = 20
	for i := range n + 1 {
		at := math.Round(end*float64(i)/n*10) / 10
		row := []string{c.X.Format(at)}
		for _, s := range c.Series {
			words := text.None
			for _, pt := range s.Points {
				if pt.X <= at && at <= s.Points[len(s.Points)-1].X+0.1 {
					words = c.Y.Format(pt.Y)
				}
			}
			row = append(row, words)
		}
		rows = append(rows, row)
	}
	return rows
}
