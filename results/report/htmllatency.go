package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/results"
	"floodgate/results/chart"
	"floodgate/results/report/text"
	"floodgate/scenarios"
)

// latencies by percentile: of items or, of a service, of reports.
func (p *pictures) latencies() (section, error) {
	s := section{ID: "latency", Title: "Latency", Says: "How long it took, by percentile. To the right are the slow ones: each step is a tenth of those before it."}
	var shown []scenarios.Level
	for _, sw := range p.sweeps() {
		shown = append(shown, sw.last())
	}
	if p.verdict.Service != nil {
		s.Says += " Response time counts from when a report was due (solid), service time from when it was begun (dashed)."
		shown = p.index.Levels
	} else {
		s.Says += " An item's time begins when its fetch does: it waits before that, which is the queue's time."
	}
	for _, l := range shown {
		if err := p.latency(&s.Figures, l); err != nil {
			return s, fmt.Errorf("latency at %s: %w", l.Name, err)
		}
	}
	if len(s.Figures) == 0 {
		s.Says, s.None = "", "The system under test reports no times of items."
	}
	return s, nil
}

// timing is a kind of time of a trial.
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
		what = "Time of a report"
	}
	c := chart.Chart{
		Title: p.titled(what, l.Name), Text: "A line for each variant, time by percentile.",
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

// merged adds up a histogram of the trials that the tables are about; nil: none has it.
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

// percentilePoints has X = 1/(1−q), which makes the axis one of nines, up to the
// greatest of n values, at n.
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

// percentile writes such an X: "p99.9".
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
