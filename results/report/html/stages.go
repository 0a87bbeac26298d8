package html

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/results"
	"floodgate/results/report/content"
	"floodgate/results/report/html/chart"
	"floodgate/results/text"
	"floodgate/scenarios"
)

// latencies draws the latencies of items or, for a service, of reports, by
// percentile.
func (p *pictures) latencies() (section, error) {
	s := section{ID: "latency", Title: "Latency", Detail: "Time by percentile. The slowest are on the right: each step to the right keeps a tenth of the previous ones."}
	var shown []scenarios.Level
	for _, sw := range p.sweeps() {
		shown = append(shown, sw.last())
	}
	if p.verdict.Service != nil {
		s.Detail += " Response time starts when a " + p.index.Scenario.Service.Unit() + " is due (solid), service time when it begins (dashed)."
		shown = p.index.Levels
	} else {
		s.Detail += " The time of an item starts with its fetch; the wait before it is queue time."
	}
	for _, l := range shown {
		if err := p.latency(&s.Figures, l); err != nil {
			return s, fmt.Errorf("latency at %s: %w", l.Name, err)
		}
	}
	if len(s.Figures) == 0 {
		s.Detail, s.None = "", "The system under test reports no times of items."
	}
	return s, nil
}

// timing is a kind of latency of a trial.
type timing struct {
	name   string
	dashed bool
	of     func(t *results.Trial) results.Histogram
}

func (p *pictures) timings() []timing {
	if p.verdict.Service == nil {
		return []timing{{"item", false, func(t *results.Trial) results.Histogram { return t.Stages["item"] }}}
	}
	part := func(f func(s *results.Service) results.Histogram) func(*results.Trial) results.Histogram {
		return func(t *results.Trial) results.Histogram {
			if t.Service == nil {
				return results.Histogram{}
			}
			return f(t.Service)
		}
	}
	return []timing{
		{"response", false, part(func(s *results.Service) results.Histogram { return s.Response })},
		{"service", true, part(func(s *results.Service) results.Histogram { return s.ServiceTime })},
	}
}

func (p *pictures) latency(to *[]picture, l scenarios.Level) error {
	what := "Time of an item"
	if p.verdict.Service != nil {
		what = "Time of a " + p.verdict.Service[0].Unit
	}
	c := chart.Chart{
		Title: p.titled(what, l.Name), Text: "One line per variant, time by percentile.",
		X: chart.Axis{Label: "percentile", Log: true, Tight: true, Ticks: percentileTicks(), Format: percentile},
		Y: nanoseconds("time"),
	}
	f := picture{Head: []string{"variant", "time", "n", "p50", "p90", "p95", "p99", "p99.9", "greatest"}}
	for _, v := range p.index.Scenario.Variants {
		for _, m := range p.timings() {
			h, err := merged(p.index.Trials(v.Name, l.Name), p.verdict.Service != nil, m.of)
			if err != nil {
				return fmt.Errorf("%s: %w", v.Name, err)
			}
			if h == nil {
				continue
			}
			line := chart.Series{Name: v.Name, Color: p.color(v.Name), Bare: true, Dashed: m.dashed, Points: percentilePoints(h)}
			if m.dashed { // beside the line that has the name
				line.Name = ""
				for i := range line.Points {
					line.Points[i].Text = v.Name + ", " + m.name + ": " + line.Points[i].Text
				}
			}
			c.Series = append(c.Series, line)
			row := []string{v.Name, m.name, text.Count(int(h.TotalCount()))}
			for _, q := range []float64{50, 90, 95, 99, 99.9} {
				row = append(row, text.Duration(time.Duration(h.ValueAtQuantile(q))))
			}
			f.Rows = append(f.Rows, append(row, text.Duration(time.Duration(h.Max()))))
		}
	}
	if len(c.Series) > 0 {
		p.add(to, c, f)
	}
	return nil
}

// merged merges a histogram of the trials in the tables; nil means that none has it.
func merged(trials []*results.Trial, service bool, of func(*results.Trial) results.Histogram) (*hdrhistogram.Histogram, error) {
	var sum *hdrhistogram.Histogram
	for _, t := range trials {
		h := of(t)
		if h.Count == 0 || !service && t.Outcome != results.OutcomeOK {
			continue
		}
		dec, err := h.HDR()
		if err != nil {
			return nil, fmt.Errorf("trial %d: %w", t.Index, err)
		}
		if sum == nil {
			sum = dec
		} else {
			sum.Merge(dec)
		}
	}
	return sum, nil
}

// percentilePoints returns points with X = 1/(1−q), which makes the axis one of
// nines, up to the largest of n values, at n.
func percentilePoints(h *hdrhistogram.Histogram) (points []chart.Point) {
	n := float64(h.TotalCount())
	const perDecade = 20
	for i := 0; ; i++ {
		x := math.Pow(10, float64(i)/perDecade)
		if x >= n {
			return append(points, chart.Point{X: max(n, 1), Y: float64(h.Max()), Text: text.Duration(time.Duration(h.Max()))})
		}
		at := h.ValueAtQuantile(100 * (1 - 1/x))
		points = append(points, chart.Point{X: x, Y: float64(at), Text: text.Duration(time.Duration(at))})
	}
}

// percentile formats such an X: "p99.9".
func percentile(x float64) string {
	q := 100 * (1 - 1/x)
	decimals := max(0, int(math.Ceil(math.Log10(max(x, 1))-1e-9))-2)
	words := fmt.Sprintf("%.*f", min(decimals+1, 8), q)
	if strings.Contains(words, ".") {
		words = strings.TrimRight(strings.TrimRight(words, "0"), ".")
	}
	return "p" + words
}

func percentileTicks() (ticks []chart.Tick) {
	ticks = append(ticks, chart.Tick{At: 1, Text: "least"}, chart.Tick{At: 2, Text: "p50"})
	for x := 10.0; x <= 1e8; x *= 10 {
		ticks = append(ticks, chart.Tick{At: x, Text: percentile(x)})
	}
	return ticks
}

// stageNames lists the successive parts of an item's time with their names.
var stageNames = []struct{ stage, name string }{
	{"queue", "queue"}, {"fetch", "fetch"}, {"handoff", "wait for a writer"}, {"pool_wait", "wait for a connection"}, {"write", "write"},
}

// stages draws the parts of an item's time.
func (p *pictures) stages() (section, error) {
	s := section{ID: "stages", Title: "Time of an item by stage", Detail: "Shares of the mean time of an item, from when it became available; the mean is on the right."}
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
		s.Detail, s.None = "", "The system under test reports no stages of items."
	}
	return s, nil
}

func (p *pictures) stagesAt(to *[]picture, l scenarios.Level) {
	c := chart.Rows{Title: p.titled("Stages of an item", l.Name), Text: "One bar per variant, with the shares of its stages.", Value: chart.Axis{Format: wholePercent, Tight: true}}
	f := picture{Half: true, Head: []string{"variant"}}
	for _, st := range stageNames {
		c.Parts, f.Head = append(c.Parts, st.name), append(f.Head, st.name)
	}
	f.Head = append(f.Head, "total")
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

// means returns the mean times of the stages over all items of the trials in the
// tables, and their sum.
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

// peaks draws the peak of descriptors of every trial, with the prediction and the
// limit.
func (p *pictures) peaks() (section, error) {
	s := section{ID: "descriptors", Title: "File descriptors", Detail: "Peak of open descriptors. Dot: a trial; line: the predicted bound."}
	for _, sw := range p.sweeps() {
		p.peaksAt(&s.Figures, sw.last())
	}
	if len(s.Figures) == 0 {
		s.Detail, s.None = "", "Descriptors were not counted in any trial."
	}
	return s, nil
}

func (p *pictures) peaksAt(to *[]picture, l scenarios.Level) {
	nofile := l.Scenario.SUT.NoFile
	c := chart.Rows{
		Title: p.titled("Peak descriptors", l.Name), Text: "One dot per trial.", Value: chart.Axis{Label: "descriptors", Log: true},
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
			row.Text = strings.TrimSpace((&content.Run{}).Peak(*r))
		}
		c.Rows = append(c.Rows, row)
	}
	if len(c.Rows) > 0 {
		p.addRows(to, c, f)
	}
}
