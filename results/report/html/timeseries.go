package html

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"floodgate/results"
	"floodgate/results/report/content"
	"floodgate/results/report/html/chart"
	"floodgate/results/summary"
	"floodgate/results/text"
	"floodgate/scenarios"
)

// timeSeries draws descriptors and tasks over the time of a service's trial.
func (p *pictures) timeSeries() (section, error) {
	s := section{ID: "time-series", Title: "Descriptors and tasks over time",
		Detail: "One trial per variant: the median by time of those that ran out of descriptors, or else the first. The tables have the others."}
	several := false
	for _, l := range p.index.Levels {
		for _, v := range p.index.Scenario.Variants {
			if t := shownTrial(p.index.ServiceTrials(v.Name, l)); t != nil {
				p.descriptors(&s.Figures, t, l)
				p.tasks(&s.Figures, t, l)
				p.metrics(&s.Figures, t, l)
				several = several || len(t.Hosts) > 1
			}
		}
	}
	if several {
		s.Detail += " Of several hosts, a chart shows the one with most descriptors, with its part of the load."
	}
	if len(s.Figures) == 0 {
		s.Detail, s.None = "", "No trial has a time series."
	}
	return s, nil
}

// shownTrial returns the median exhausted trial, or else the first one with a time
// series.
func shownTrial(trials []summary.ServiceTrial) *summary.ServiceTrial {
	var with, exhausted []summary.ServiceTrial
	for _, t := range trials {
		if t.TimeSeries == nil || len(t.Service.Series.At) == 0 {
			continue
		}
		with = append(with, t)
		if t.TimeSeries.Exhausted != nil {
			exhausted = append(exhausted, t)
		}
	}
	byTime := func(a, b summary.ServiceTrial) int {
		return cmp.Compare(a.TimeSeries.Exhausted.At, b.TimeSeries.Exhausted.At)
	}
	switch {
	case len(with) == 0:
		return nil
	case len(exhausted) > 0:
		slices.SortStableFunc(exhausted, byTime)
		return &exhausted[(len(exhausted)-1)/2]
	}
	first := slices.MinFunc(with, func(a, b summary.ServiceTrial) int { return cmp.Compare(a.Block, b.Block) })
	return &first
}

// overTime returns the axes of a chart over the time of a trial.
func overTime(what string) (x, y chart.Axis) {
	format := func(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) + " s" }
	return chart.Axis{Label: "time since the service started", Tight: true, Include: []float64{0}, Format: format},
		chart.Axis{Label: what, Include: []float64{0}, Format: func(v float64) string { return text.Count(int(math.Round(v))) }}
}

// columnLine returns the line of a column. If seenOnly is set, values of 0 were not
// observed and are omitted.
func columnLine(t *summary.ServiceTrial, name string, n int, seenOnly bool, columns ...results.Column) chart.Series {
	s := chart.Series{Name: name, Color: n, Step: true, Bare: true}
	for i, ms := range t.Service.Series.At {
		sum, known := 0.0, true
		for _, c := range columns {
			known = known && t.Service.Series.Known(c, i)
			sum += float64(t.Service.Series.Value(c, i))
		}
		if !known || seenOnly && t.Service.Series.Value(results.ColumnDescriptors, i) == 0 {
			continue
		}
		s.Points = append(s.Points, chart.Point{X: float64(ms) / 1000, Y: sum})
	}
	return s
}

// moments returns the end of the load, and the first refusal of a descriptor.
func moments(t *summary.ServiceTrial, l scenarios.Level) (lines []chart.Reference) {
	if e := t.TimeSeries.Exhausted; e != nil {
		lines = append(lines, chart.Reference{Vertical: true, At: e.At.Seconds(), Label: fmt.Sprintf("EMFILE at %.1f s", e.At.Seconds()), Alarm: true})
	}
	at := t.Service.Series.At
	if load := time.Duration(l.Scenario.Service.Duration); float64(at[len(at)-1])/1000 > load.Seconds() {
		lines = append(lines, chart.Reference{Vertical: true, At: load.Seconds(), Label: "end of the load"})
	}
	return lines
}

func (p *pictures) descriptors(to *[]picture, t *summary.ServiceTrial, l scenarios.Level) {
	x, y := overTime("open descriptors")
	c := chart.Chart{
		Title: p.titled(t.Variant+": descriptors", l.Name), Text: "Open descriptors over time, with the limit.", X: x, Y: y,
		References: moments(t, l), Series: []chart.Series{columnLine(t, "all", 6, true, results.ColumnDescriptors)},
	}
	head := []string{"time", "all"}
	for _, kind := range []chart.Series{
		columnLine(t, "upstream", 0, true, results.ColumnDescriptorsUpstream), columnLine(t, "database", 1, true, results.ColumnDescriptorsMongo),
		columnLine(t, "other", 3, true, results.ColumnDescriptorsOther),
	} {
		if len(kind.Points) > 0 {
			c.Series, head = append(c.Series, kind), append(head, kind.Name)
			c.Text = "Open descriptors by kind over time, with the limit."
		}
	}
	detail := fmt.Sprintf("block %d", t.Block)
	if near(float64(t.NoFile), c.Series[0]) {
		c.References = append(c.References, chart.Reference{At: float64(t.NoFile), Label: "nofile " + text.Count(t.NoFile), Alarm: true})
	} else {
		detail += ", nofile " + text.Count(t.NoFile) + " is above the picture"
	}
	if e := t.TimeSeries.Exhausted; e != nil {
		detail += ", " + fmt.Sprintf("first refused for %s, at report %s", content.RefusedSides(map[string]int{e.Side: 1}), text.Count(e.Report))
	}
	p.add(to, c, picture{Half: true, Detail: detail, Head: head, Rows: sampled(c)})
}

// requests draws what is seen from outside of an HTTP service, whose tasks and pool are
// not known.
func (p *pictures) requests(to *[]picture, t *summary.ServiceTrial, l scenarios.Level) {
	x, y := overTime("requests in flight and threads")
	c := chart.Chart{
		Title: p.titled(t.Variant+": requests and threads", l.Name), Text: "Requests in flight and threads over time.", X: x, Y: y,
		References: moments(t, l),
		Series: []chart.Series{
			columnLine(t, "in flight", 2, false, results.ColumnReportsInFlight), columnLine(t, "threads", 6, true, results.ColumnThreads),
		},
	}
	p.add(to, c, picture{Half: true, Detail: "seen from outside", Head: []string{"time", "requests in flight", "threads"}, Rows: sampled(c)})
}

// metrics draws each metric of sut.metrics in a chart of its own, as their units differ.
func (p *pictures) metrics(to *[]picture, t *summary.ServiceTrial, l scenarios.Level) {
	all := t.Service.Series.Metrics
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x, y := overTime(name)
		y.Format = text.Value
		line := chart.Series{Name: name, Color: 4, Step: true, Bare: true}
		for i, ms := range all[name].At {
			line.Points = append(line.Points, chart.Point{X: float64(ms) / 1000, Y: all[name].Values[i]})
		}
		c := chart.Chart{
			Title: p.titled(t.Variant+": "+name, l.Name), Text: "A metric over time, as the service reports it.", X: x, Y: y,
			References: moments(t, l), Series: []chart.Series{line},
		}
		p.add(to, c, picture{Half: true, Detail: "as the service reports it", Head: []string{"time", name}, Rows: sampled(c)})
	}
}

func (p *pictures) tasks(to *[]picture, t *summary.ServiceTrial, l scenarios.Level) {
	if !t.Service.Series.Known(results.ColumnGoroutines, 0) {
		p.requests(to, t, l)
		return
	}
	x, y := overTime("tasks (goroutines) and items in progress")
	c := chart.Chart{
		Title: p.titled(t.Variant+": tasks and pool", l.Name), Text: "Tasks, items and slots of the pool over time.", X: x, Y: y,
		References: moments(t, l),
		Series: []chart.Series{
			columnLine(t, "tasks", 6, false, results.ColumnGoroutines), columnLine(t, "items in progress", 2, false, results.ColumnItemsOutstanding),
			columnLine(t, "driver in use", 1, false, results.ColumnMongoInUse), columnLine(t, "slots in use", 5, false, results.ColumnSlotsInUse),
		},
	}
	detail := "no limit shared by all reports"
	limit := 0.0
	for _, pt := range columnLine(t, "", 0, false, results.ColumnSlotLimit).Points {
		limit = max(limit, pt.Y)
	}
	if limit > 0 {
		detail = fmt.Sprintf("all reports share a pool of at most %s", text.Plural(int(limit), "slot", "slots"))
	}
	head := []string{"time", "tasks", "items in progress", "driver's connections in use", "slots in use"}
	if limit == 0 && highest(c.Series[3]) == 0 {
		c.Series, head = c.Series[:3], head[:4]
	}
	if most := highest(c.Series[0]); most > 0 {
		detail += fmt.Sprintf("; at most %s tasks", text.Count(int(most)))
	}
	p.add(to, c, picture{Half: true, Detail: detail, Head: head, Rows: sampled(c)})
}

// near reports whether a limit is so near to the highest value of a line that a picture
// with both still shows how the line rises.
func near(limit float64, s chart.Series) bool { return limit > 0 && limit < 4*highest(s) }

func highest(s chart.Series) (most float64) {
	for _, pt := range s.Points {
		most = max(most, pt.Y)
	}
	return most
}

// sampled returns the values of the lines at twenty times.
func sampled(c chart.Chart) (rows [][]string) {
	const n = 20
	points := c.Series[len(c.Series)-1].Points
	for i := 0; i < len(points); i += max(1, len(points)/n) {
		row := []string{c.X.Format(points[i].X)}
		for _, s := range c.Series {
			at, ok := slices.BinarySearchFunc(s.Points, points[i].X, func(pt chart.Point, x float64) int { return cmp.Compare(pt.X, x) })
			if !ok {
				row = append(row, text.None)
				continue
			}
			row = append(row, c.Y.Format(s.Points[at].Y))
		}
		rows = append(rows, row)
	}
	return rows
}
