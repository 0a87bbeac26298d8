package html

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/report/content"
	"floodgate/results/report/html/chart"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// limitPicture draws the highest rate of each limit. It returns false if the plan is
// not one of limits, or none has a rate.
func limitPicture(p *content.Rates) (chart.Chart, bool) {
	label := "limit (items at once, all reports)"
	if p.Plan.Arrival() == "request" {
		label = "limit"
	}
	c := chart.Chart{
		Title: "Highest rate by limit", Text: "The rate that each limit sustains, from the confirmed rate to the lowest failed one.",
		X: chart.Axis{Label: label, Log: true, Tight: true},
		Y: chart.Axis{Label: p.Plan.Arrival() + "s per second", Include: []float64{0}, Format: content.RateDigits},
	}
	line, open := chart.Series{Name: "sustained"}, chart.Series{Name: "passed, not confirmed", Color: 3, Loose: true}
	for _, v := range p.Plan.Variants {
		if v.Limit > 0 && !v.Decided() && v.Met > 0 {
			c.X.Ticks, c.X.Include = append(c.X.Ticks, chart.Tick{At: float64(v.Limit), Text: text.Count(v.Limit)}), append(c.X.Include, float64(v.Limit))
			open.Points = append(open.Points, chart.Point{X: float64(v.Limit), Y: v.Met, Text: fmt.Sprintf("limit %d: %s passed but was not confirmed", v.Limit, content.PerSecond(v.Met))})
		}
		if v.Limit == 0 || v.Confirmed == 0 || !v.Decided() {
			continue
		}
		c.X.Ticks = append(c.X.Ticks, chart.Tick{At: float64(v.Limit), Text: text.Count(v.Limit)})
		point := chart.Point{X: float64(v.Limit), Y: v.Confirmed, Text: fmt.Sprintf("limit %d: %s", v.Limit, content.PerSecond(v.Confirmed))}
		if v.Failed > v.Confirmed {
			point.Low, point.High = new(v.Confirmed), new(v.Failed)
			point.Text += ", " + content.PerSecond(v.Failed) + " failed"
		}
		line.Points = append(line.Points, point)
	}
	for _, series := range []chart.Series{line, open} {
		if len(series.Points) > 0 {
			c.Series = append(c.Series, series)
		}
	}
	if l := p.Plan.Limit; l != nil && l.Limit > 0 {
		c.References = []chart.Reference{{Vertical: true, At: float64(l.Limit), Label: fmt.Sprintf("recommended: %d", l.Limit)}}
	}
	return c, len(c.Series) > 0
}

// Rates writes a plan of rates as a self-contained page.
func Rates(w io.Writer, plan *capacity.Rates) error {
	fail := func(err error) error { return fmt.Errorf("write page of plan %q: %w", plan.ID, err) }
	p := &content.Rates{Printer: text.Printer{Width: 96}, Plan: plan}
	pg := page{Title: plan.Scenario + ": highest sustained rate", Run: plan.ID, Exit: fmt.Sprint(plan.Exit)}
	decided := p.Decided()
	pg.Detail = decided
	pg.Word, pg.Tone = string(plan.Decision), plan.Decision.Tone()
	if l := plan.Limit; l != nil && l.Limit > 0 {
		pg.Word += fmt.Sprintf(": recommended limit %d sustains %s", l.Limit, content.PerSecond(l.Rate))
	}
	pg.Sections = []section{ratePictures(p)}
	pg.rateTables(p)
	p.Thresholds()
	pg.Text = p.Out.String()
	pg.Facts = []fact{
		{"slo", p.Requirements()},
		{"windows", fmt.Sprintf("each rate tested for %s and confirmed %s", content.Seconds(plan.Window), p.Confirmation())},
		{"level", cmp.Or(plan.Level, text.None)},
	}
	pg.Facts = append(pg.Facts, planFacts(plan.Environment, plan.Machine, plan.Started, plan.Records)...)
	for _, words := range content.Disturbances(plan.Noise) {
		pg.Notes = append(pg.Notes, "noise, "+words)
	}
	pg.Reproduce = planAgain(plan.Command, "rate", plan.Scenario)
	var words strings.Builder
	if err := content.WriteJSON(&words, plan, "plan"); err != nil {
		return fail(err)
	}
	if err := pg.planData(plan.ID, words.String()); err != nil {
		return fail(err)
	}
	if err := pg.write(w); err != nil {
		return fail(err)
	}
	return nil
}

// planAgain returns the command that reproduces a plan, without flags if the record
// does not have it.
func planAgain(command []string, kind, scenario string) []string {
	if len(command) == 0 {
		command = []string{"plan", kind, scenario}
	}
	return []string{content.Command(command)}
}

// planFacts returns facts about the environment of a plan.
func planFacts(env results.Environment, m results.Fingerprint, started time.Time, records string) []fact {
	return []fact{
		{"environment", fmt.Sprintf("%s: %s, %s", env.Kind, env.Database, env.Upstream)},
		{"machine", content.MachineLine(m)},
		{"started", started.UTC().Format("2006-01-02 15:04:05 UTC")},
		{"records", cmp.Or(records, text.None)},
	}
}

// ratePictures draws the p99 against the rate, one picture per variant.
func ratePictures(p *content.Rates) section {
	s := section{ID: "rates", Title: "Rate and p99", Detail: "The p99 of the response time at each tested rate, measured from when a " + p.Plan.Arrival() + " was due. The highest sustained rate lies in the shaded range, between the highest rate that passed and the lowest that failed." +
		fmt.Sprintf(" A rate is tested for %s and confirmed %s: one that passes the shorter test may fail the longer one.", content.Seconds(p.Plan.Window), p.Confirmation())}
	drawn := &pictures{}
	if c, ok := limitPicture(p); ok {
		drawn.add(&s.Figures, c, picture{Detail: p.LimitText(*p.Plan.Limit)})
	}
	for i, v := range p.Plan.Variants {
		c := chart.Chart{
			Title: v.Variant, Text: "Points of rate and p99, with the limit.",
			X: chart.Axis{Label: p.Plan.Arrival() + "s per second", Log: true, Format: content.RateDigits}, Y: nanoseconds("p99 of the response time"),
		}
		if slo := time.Duration(p.Plan.SLO.P99); slo > 0 {
			c.References = append(c.References, chart.Reference{At: float64(slo), Label: "slo " + text.Duration(slo), Alarm: true})
		}
		if v.Decided() && v.Confirmed > 0 {
			c.References = append(c.References, chart.Reference{Vertical: true, At: v.Confirmed, Label: "sustained: " + content.PerSecond(v.Confirmed)})
			if v.Failed > v.Confirmed {
				c.Ranges = append(c.Ranges, chart.Range{From: v.Confirmed, To: v.Failed})
			}
		}
		for k, decision := range []verdict.Decision{verdict.Passed, verdict.Failed, verdict.Inconclusive} {
			line := chart.Series{Name: string(decision), Color: []int{2, 1, 3}[k], Loose: true}
			points := slices.Clone(v.Points)
			slices.SortStableFunc(points, func(a, b capacity.Point) int { return cmp.Compare(a.Rate, b.Rate) })
			for _, t := range points {
				if t.Decision == decision {
					line.Points = append(line.Points, chart.Point{X: t.Rate, Y: float64(t.P99), Text: content.Tried(t)})
				}
			}
			if len(line.Points) > 0 {
				c.Series = append(c.Series, line)
			}
		}
		if len(c.Series) > 0 {
			drawn.add(&s.Figures, c, picture{Half: true, Detail: p.Remark(p.Plan.Variants[i])})
		}
	}
	return s
}

// rateTables returns the tables of results and of tested rates, as in the terminal.
func (pg *page) rateTables(p *content.Rates) {
	found, remarks := p.FoundGrid(), []string(nil)
	for _, v := range p.Plan.Variants {
		if remark := p.Remark(v); remark != "" {
			remarks = append(remarks, v.Variant+": "+remark)
		}
	}
	if len(p.Plan.NotTried) > 0 {
		remarks = append(remarks, "not tested: "+strings.Join(p.Plan.NotTried, ", "))
	}
	pg.grid("Highest sustained rate", found, remarks)
	tried, at := p.TriedGrid(), 0
	for _, v := range p.Plan.Variants {
		g := &text.Grid{Columns: tried.Columns, Rows: tried.Rows[at : at+len(v.Points)]}
		var why []string
		for _, t := range v.Points {
			if len(t.Why) > 0 {
				why = append(why, content.PerSecond(t.Rate)+": "+strings.Join(t.Why, "; "))
			}
		}
		at += len(v.Points)
		pg.grid(v.Variant, g, why)
	}
}
