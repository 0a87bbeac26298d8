package report

import (
	"fmt"

	"floodgate/results/capacity"
	"floodgate/results/chart"
	"floodgate/results/report/text"
)

// limit says which limit to take, where the plan is of limits.
func (p *ratePrinter) limit() {
	if p.plan.Limit == nil {
		return
	}
	p.Line("")
	p.Wrapped("", p.limitText(*p.plan.Limit), "")
}

func (p *ratePrinter) limitText(l capacity.RateLimit) string {
	switch {
	case l.Limit > 0:
		return fmt.Sprintf("take %d: the smallest limit that was tried whose rate reaches %.0f %% of the highest that was confirmed, %s at %d, as near as the interval tells",
			l.Limit, 100*capacity.Reach, rate(l.Highest), l.Peak)
	case l.Highest > 0:
		return fmt.Sprintf("no limit can be named yet; %s. The highest rate that was confirmed so far is %s, at %d", l.Why, rate(l.Highest), l.Peak)
	case l.Why != "":
		return "no limit can be named yet; " + l.Why
	}
	return "no limit has a rate that was confirmed"
}

// limitPicture has the highest rate of each limit; false: the plan is not of
// limits, or none has a rate.
func (p *ratePrinter) limitPicture() (chart.Chart, bool) {
	c := chart.Chart{
		Title: "Highest rate by limit", Text: "What each limit sustains, from the rate that was confirmed to the lowest that failed.",
		X: chart.Axis{Label: "limit, items at once of all reports", Log: true, Tight: true},
		Y: chart.Axis{Label: "reports a second", Include: []float64{0}, Format: digitsOf},
	}
	line, open := chart.Series{Name: "sustained"}, chart.Series{Name: "passed, not confirmed", Color: 3, Loose: true}
	for _, v := range p.plan.Variants {
		if v.Limit > 0 && !v.Decided() && v.Held > 0 {
			c.X.Ticks, c.X.Include = append(c.X.Ticks, chart.Tick{At: float64(v.Limit), Text: text.Count(v.Limit)}), append(c.X.Include, float64(v.Limit))
			open.Points = append(open.Points, chart.Point{X: float64(v.Limit), Y: v.Held, Text: fmt.Sprintf("limit %d: %s passed and was not confirmed", v.Limit, rate(v.Held))})
		}
		if v.Limit == 0 || v.Confirmed == 0 || !v.Decided() {
			continue
		}
		c.X.Ticks = append(c.X.Ticks, chart.Tick{At: float64(v.Limit), Text: text.Count(v.Limit)})
		point := chart.Point{X: float64(v.Limit), Y: v.Confirmed, Text: fmt.Sprintf("limit %d: %s", v.Limit, rate(v.Confirmed))}
		if v.Failed > v.Confirmed {
			point.Low, point.High = new(v.Confirmed), new(v.Failed)
			point.Text += ", " + rate(v.Failed) + " failed"
		}
		line.Points = append(line.Points, point)
	}
	for _, series := range []chart.Series{line, open} {
		if len(series.Points) > 0 {
			c.Series = append(c.Series, series)
		}
	}
	if l := p.plan.Limit; l != nil && l.Limit > 0 {
		c.References = []chart.Reference{{Vertical: true, At: float64(l.Limit), Label: fmt.Sprintf("take %d", l.Limit)}}
	}
	return c, len(c.Series) > 0
}
