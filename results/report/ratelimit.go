package report

import (
	"fmt"

	"floodgate/results/capacity"
	"floodgate/results/chart"
)

// limit says which limit to take, where the plan is of limits.
func (p *ratePrinter) limit() {
	if p.plan.Limit == nil {
		return
	}
	p.line("")
	p.wrapped("", p.limitText(*p.plan.Limit), "")
}

func (p *ratePrinter) limitText(l capacity.RateLimit) string {
	text := "no limit has a rate that was confirmed"
	if l.Limit > 0 {
		text = fmt.Sprintf("take %d: the smallest limit that was tried whose rate reaches %.0f %% of the highest that was confirmed, %s at %d, as near as the interval tells",
			l.Limit, 100*capacity.Reach, rate(l.Highest), l.Peak)
	}
	if l.Why != "" {
		text += "; " + l.Why
	}
	return text
}

// limitPicture has the highest rate of each limit; false: the plan is not of
// limits, or none has a rate.
func (p *ratePrinter) limitPicture() (chart.Chart, bool) {
	c := chart.Chart{
		Title: "Highest rate by limit", Text: "What each limit sustains, from the rate that was confirmed to the lowest that failed.",
		X: chart.Axis{Label: "limit, items at once of all reports", Log: true, Tight: true},
		Y: chart.Axis{Label: "reports a second", Include: []float64{0}, Format: digitsOf},
	}
	line := chart.Series{Name: "sustained"}
	for _, v := range p.plan.Variants {
		if v.Limit == 0 || v.Confirmed == 0 {
			continue
		}
		c.X.Ticks = append(c.X.Ticks, chart.Tick{At: float64(v.Limit), Text: count(v.Limit)})
		point := chart.Point{X: float64(v.Limit), Y: v.Confirmed, Text: fmt.Sprintf("limit %d: %s", v.Limit, rate(v.Confirmed))}
		if v.Failed > v.Confirmed {
			point.Low, point.High = new(v.Confirmed), new(v.Failed)
			point.Text += ", " + rate(v.Failed) + " failed"
		}
		line.Points = append(line.Points, point)
	}
	c.Series = []chart.Series{line}
	if l := p.plan.Limit; l != nil && l.Limit > 0 {
		c.References = []chart.Reference{{Vertical: true, At: float64(l.Limit), Label: fmt.Sprintf("take %d", l.Limit)}}
	}
	return c, len(line.Points) > 0
}
