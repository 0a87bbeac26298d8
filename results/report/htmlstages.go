package report

import (
	"fmt"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/chart"
	"floodgate/results/report/text"
	"floodgate/scenarios"
)

// stageNames are the parts of an item's time, one after another, and how they are called.
var stageNames = []struct{ stage, name string }{
	{"queue", "queue"}, {"fetch", "fetch"}, {"handoff", "wait for a writer"}, {"pool_wait", "wait for a connection"}, {"write", "write"},
}

// stages say where an item's time goes.
func (p *pictures) stages() (section, error) {
	s := section{ID: "stages", Title: "Where an item's time goes", Says: "Shares of the mean time of an item, from when it could have been begun; at the right the mean."}
	shown := p.index.Levels
	if p.verdict.Service == nil {
		shown = nil
		for _, sw := range p.sweeps() {
			shown = append(shown, sw.last())
		}
	}
	for _, l := range shown {
		p.stagesAt(&s.Figures, l)
	}
	if len(s.Figures) == 0 {
		s.Says, s.None = "", "The system under test reports no stages of items."
	}
	return s, nil
}

func (p *pictures) stagesAt(to *[]picture, l scenarios.Level) {
	c := chart.Rows{Title: p.titled("Stages of an item", l.Name), Text: "A bar for each variant, of the shares of its stages.", Value: chart.Axis{Format: wholePercent, Tight: true}}
	f := picture{Half: true, Head: []string{"variant"}}
	for _, st := range stageNames {
		c.Parts, f.Head = append(c.Parts, st.name), append(f.Head, st.name)
	}
	f.Head = append(f.Head, "in all")
	for _, v := range p.index.Scenario.Variants {
		means, sum := p.means(v.Name, l.Name)
		if sum == 0 {
			continue
		}
		row, cells := chart.Row{Name: v.Name, Text: text.Duration(time.Duration(sum))}, []string{v.Name}
		for i, st := range stageNames {
			words := text.Duration(time.Duration(means[i]))
			row.Parts = append(row.Parts, chart.Mark{At: means[i] / sum, Text: fmt.Sprintf("%s, %s: %s, %s", v.Name, st.name, words, text.Percent(means[i]/sum))})
			cells = append(cells, words)
		}
		c.Rows, f.Rows = append(c.Rows, row), append(f.Rows, append(cells, row.Text))
	}
	if len(c.Rows) > 0 {
		p.addRows(to, c, f)
	}
}

// means of the stages over all items of the trials that the tables are about, and their sum.
func (p *pictures) means(variant, level string) (means []float64, sum float64) {
	means = make([]float64, len(stageNames))
	for i, st := range stageNames {
		n, total := 0.0, 0.0
		for _, t := range p.index.Trials(variant, level) {
			if h := t.Stages[st.stage]; h.Count > 0 && (p.verdict.Service != nil || t.Outcome == results.OutcomeOK) {
				n, total = n+float64(h.Count), total+float64(h.Count)*float64(h.Mean)
			}
		}
		if n > 0 {
			means[i] = total / n
			sum += means[i]
		}
	}
	return means, sum
}

// peaks of descriptors of every trial, beside what was predicted and the limit.
func (p *pictures) peaks() (section, error) {
	s := section{ID: "descriptors", Title: "File descriptors", Says: "The most that were open at once: a dot is a trial, the line what was predicted."}
	for _, sw := range p.sweeps() {
		p.peaksAt(&s.Figures, sw.last())
	}
	if len(s.Figures) == 0 {
		s.Says, s.None = "", "No trial's descriptors were counted."
	}
	return s, nil
}

func (p *pictures) peaksAt(to *[]picture, l scenarios.Level) {
	nofile := l.Scenario.SUT.NoFile
	c := chart.Rows{
		Title: p.titled("Peak of descriptors", l.Name), Text: "A dot for each trial.", Value: chart.Axis{Label: "descriptors", Log: true},
		References: []chart.Reference{{At: float64(nofile), Label: "nofile " + text.Count(nofile), Alarm: true}},
	}
	f := picture{Half: true, Head: []string{"variant", "block", "peak", "predicted", "upstream", "database", "other"}}
	for _, v := range p.index.Scenario.Variants {
		row, peak := chart.Row{Name: v.Name, Color: p.color(v.Name)}, -1
		for _, t := range p.index.Trials(v.Name, l.Name) {
			d := t.Descriptors
			n, ok := d.Highest()
			if !ok {
				continue
			}
			peak = max(peak, n)
			row.Points = append(row.Points, chart.Mark{At: float64(n), Text: fmt.Sprintf("%s, block %d: %s", v.Name, t.Block, text.Count(n))})
			predicted := text.None
			if d.Predicted > 0 {
				predicted = text.Count(d.Predicted)
				row.Bound = &chart.Mark{At: float64(d.Predicted), Text: v.Name + ": predicted " + predicted}
			}
			cells := []string{v.Name, fmt.Sprint(t.Block), text.Count(n), predicted, text.None, text.None, text.None}
			if d.Outside != nil {
				cells[4], cells[5], cells[6] = text.Count(d.Outside.Upstream), text.Count(d.Outside.Mongo), text.Count(d.Outside.Others())
			}
			f.Rows = append(f.Rows, cells)
		}
		if peak < 0 {
			continue
		}
		row.Text = text.Count(peak)
		if r := p.row(v.Name, l.Name); r != nil && r.Peak != nil {
			row.Text = strings.TrimSpace((&printer{}).peak(*r))
		}
		c.Rows = append(c.Rows, row)
	}
	if len(c.Rows) > 0 {
		p.addRows(to, c, f)
	}
}
