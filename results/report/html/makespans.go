package html

import (
	"fmt"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/report/content"
	"floodgate/results/report/html/chart"
	"floodgate/results/summary"
	"floodgate/results/text"
	"floodgate/scenarios"
)

// row returns a row of the table, or nil if there is none.
func (p *pictures) row(variant, level string) *summary.Row {
	for i, r := range p.verdict.Table.Rows {
		if r.Variant == variant && r.Level == level {
			return &p.verdict.Table.Rows[i]
		}
	}
	return nil
}

// reductions draws the reductions against the swept factor, with the intervals of
// the table.
func (p *pictures) reductions() (section, error) {
	s := section{ID: "reduction", Title: "Reduction", Detail: "Time saved compared with " + p.verdict.Table.Reference + ", with 95 % intervals."}
	if p.verdict.Table.Reference == "" {
		s.Detail, s.None = "", "No variant is sequential, so reductions have no reference."
		return s, nil
	}
	for _, sw := range p.sweeps() {
		if len(sw.at) < 2 {
			continue
		}
		c := chart.Chart{
			Title: fmt.Sprintf("Reduction of the makespan by %s", sw.axis().Label), Text: "One line per variant, with intervals; the table below has the numbers.",
			X: sw.axis(), Y: chart.Axis{Label: "reduction (1 − makespan ÷ makespan of " + p.verdict.Table.Reference + ")", Format: wholePercent, Include: []float64{0, 1}},
		}
		f := picture{Detail: sw.rest, Head: []string{"variant", sw.factor, "reduction [95 %]", "pairs"}}
		for _, v := range p.index.Scenario.Variants {
			line := chart.Series{Name: v.Name, Color: p.color(v.Name), Bare: len(sw.at) > maxMarkers}
			for i, l := range sw.levels {
				r := p.row(v.Name, l.Name)
				if r == nil || r.Reduction == nil {
					continue
				}
				words := content.ReductionCell(*r, p.verdict.Table.Reference)
				line.Points = append(line.Points, chart.Point{X: sw.at[i], Y: r.Reduction.Estimate, Low: r.Reduction.Low, High: r.Reduction.High,
					Text: fmt.Sprintf("%s, %s = %s: %s, %s", v.Name, sw.factor, sw.texts[i], words, text.Plural(r.Reduction.Pairs, "pair", "pairs"))})
				f.Rows = append(f.Rows, []string{v.Name, sw.texts[i], words, fmt.Sprint(r.Reduction.Pairs)})
			}
			if len(line.Points) > 0 {
				c.Series = append(c.Series, line)
			}
		}
		c.References = p.claimed()
		if len(c.Series) > 0 {
			p.add(&s.Figures, c, f)
		}
	}
	if len(s.Figures) == 0 {
		s.Detail, s.None = "", "There is only one level or no pair; the tables have the reductions."
	}
	return s, nil
}

// claimed returns the reductions of claims.
func (p *pictures) claimed() (lines []chart.Reference) {
	var seen []float64
	for _, c := range p.index.Scenario.Claims {
		if c.Reduction == nil || slices.Contains(seen, float64(c.Reduction.AtLeast)) || len(seen) == 3 {
			continue
		}
		at := float64(c.Reduction.AtLeast)
		seen = append(seen, at)
		lines = append(lines, chart.Reference{At: at, Label: "claimed: at least " + c.Reduction.AtLeast.String()})
	}
	return lines
}

func wholePercent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }

// makespans draws the makespans by variant against the swept factor, and the efficiency
// of every trial at the largest level.
func (p *pictures) makespans() (section, error) {
	s := section{ID: "makespan", Title: "Makespan", Detail: "From the first item started to the last one finished."}
	for _, sw := range p.sweeps() {
		if len(sw.at) > 1 {
			p.makespanLines(&s.Figures, sw)
		}
		p.trialRows(&s.Figures, sw.last())
	}
	return s, nil
}

func (p *pictures) makespanLines(to *[]picture, sw sweep) {
	c := chart.Chart{
		Title: "Makespan by " + sw.axis().Label, Text: "One line per variant, through the medians of its trials.",
		X: sw.axis(), Y: nanoseconds("median makespan, with its range"),
	}
	f := picture{Half: true, Detail: sw.rest, Head: []string{"variant", sw.factor, "median", "least", "greatest", "trials"}}
	for _, v := range p.index.Scenario.Variants {
		line := chart.Series{Name: v.Name, Color: p.color(v.Name), Bare: len(sw.at) > maxMarkers}
		for i, l := range sw.levels {
			r := p.row(v.Name, l.Name)
			spans := makespansOf(p.index.Trials(v.Name, l.Name))
			if r == nil || r.Makespan == nil || len(spans) == 0 {
				continue
			}
			low, high := slices.Min(spans), slices.Max(spans)
			line.Points = append(line.Points, chart.Point{X: sw.at[i], Y: float64(*r.Makespan), Low: new(float64(low)), High: new(float64(high)),
				Text: fmt.Sprintf("%s, %s = %s: %s (%s to %s)", v.Name, sw.factor, sw.texts[i], text.Duration(*r.Makespan), text.Duration(low), text.Duration(high))})
			f.Rows = append(f.Rows, []string{v.Name, sw.texts[i], text.Duration(*r.Makespan), text.Duration(low), text.Duration(high), text.Count(len(spans))})
		}
		if len(line.Points) > 0 {
			c.Series = append(c.Series, line)
		}
	}
	if len(c.Series) > 0 {
		p.add(to, c, f)
	}
}

// trialRows draws every trial: its efficiency, because the trials of a variant have
// different ideal makespans, or its makespan if no ideal is known.
func (p *pictures) trialRows(to *[]picture, l scenarios.Level) {
	c := chart.Rows{
		Title: p.titled("Efficiency of every trial", l.Name), Text: "One dot per trial, a diamond at the median.",
		Value:      chart.Axis{Label: "ideal makespan ÷ makespan", Format: wholePercent, Include: []float64{0, 1}},
		References: []chart.Reference{{At: 1, Label: "ideal"}},
	}
	value := func(t *results.Trial) float64 { return float64(t.Ideal) / float64(t.Makespan) }
	middle, words := func(r *summary.Row) *float64 { return r.Efficiency }, text.Percent
	if !slices.ContainsFunc(p.verdict.Table.Rows, func(r summary.Row) bool { return r.Level == l.Name && r.Efficiency != nil }) {
		c.Title, c.Value, c.References = p.titled("Every trial", l.Name), nanoseconds("makespan"), nil
		value = func(t *results.Trial) float64 { return float64(t.Makespan) }
		middle = func(r *summary.Row) *float64 { return new(float64(*r.Makespan)) }
		words = func(ns float64) string { return text.Duration(time.Duration(ns)) }
	}
	f := picture{Half: true, Detail: "dot: a trial; diamond: the median", Head: []string{"variant", "block", "makespan", "ideal"}}
	for _, v := range p.index.Scenario.Variants {
		r := p.row(v.Name, l.Name)
		if r == nil || r.Makespan == nil || middle(r) == nil {
			continue
		}
		median := words(*middle(r))
		row := chart.Row{Name: v.Name, Color: p.color(v.Name), Text: content.PartialMark(*r, median)}
		row.Middle = &chart.Mark{At: *middle(r), Text: v.Name + ": median " + median}
		for _, t := range p.index.Trials(v.Name, l.Name) {
			if t.Outcome != results.OutcomeOK || value(t) <= 0 {
				continue
			}
			ideal := text.None
			if t.Ideal > 0 {
				ideal = text.Duration(t.Ideal)
			}
			row.Points = append(row.Points, chart.Mark{At: value(t), Text: fmt.Sprintf("%s, block %d: %s%s", v.Name, t.Block, words(value(t)), content.FailedItems(t))})
			f.Rows = append(f.Rows, []string{v.Name, fmt.Sprint(t.Block), text.Duration(t.Makespan) + content.FailedItems(t), ideal})
		}
		c.Rows = append(c.Rows, row)
	}
	if len(c.Rows) > 0 {
		p.addRows(to, c, f)
	}
}

// makespansOf returns the makespans of the measured trials.
func makespansOf(trials []*results.Trial) (spans []time.Duration) {
	for _, t := range trials {
		if t.Outcome == results.OutcomeOK {
			spans = append(spans, t.Makespan)
		}
	}
	return spans
}
