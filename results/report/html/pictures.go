package html

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"floodgate/results/claims"
	"floodgate/results/report/html/chart"
	"floodgate/results/summary"
	"floodgate/results/text"
	"floodgate/scenarios"
)

// pictures draws the pictures of a run.
type pictures struct {
	index   *summary.Index
	verdict *claims.Outcome
	bytes   int // drawn so far
	leftOut int // pictures for which there was no room
}

// all returns all sections in their order on the page.
func (p *pictures) all() ([]section, error) {
	draw := []func() (section, error){p.adaptiveLimits, p.reductions, p.makespans, p.latencies, p.stages, p.peaks}
	if p.verdict.Service != nil {
		draw = []func() (section, error){p.timeSeries, p.latencies, p.stages}
	}
	if p.index.Scenario.IsHTTPService() { // its stages are its own
		draw = []func() (section, error){p.timeSeries, p.latencies}
	}
	var all []section
	for _, d := range draw {
		s, err := d()
		if err != nil {
			return nil, err
		}
		if p.leftOut > 0 {
			s.None = fmt.Sprintf("%s omitted for lack of space; the tables have the numbers.", text.Plural(p.leftOut, "chart was", "charts were"))
			p.leftOut = 0
		}
		if len(s.Figures) > 0 || s.None != "" {
			all = append(all, s)
		}
	}
	return all, nil
}

// The sizes of pictures in pixels: half the width, full width, and on a phone.
const (
	halfWidth, fullWidth, phoneWidth = 540, 860, 350
)

// Bounds on the points of a line with markers, and on the rows of numbers below a
// picture.
const (
	maxMarkers = 24
	maxNumbers = 250
)

// add draws a chart as a figure if there is room for it.
func (p *pictures) add(to *[]picture, c chart.Chart, f picture) {
	f.Title = c.Title
	c.Width = fullWidth
	if f.Half {
		c.Width, c.Height = halfWidth, 300
	}
	f.Wide = c.SVG()
	c.Width, c.Height = phoneWidth, 300
	f.Narrow = c.SVG()
	p.keep(to, f)
}

func (p *pictures) addRows(to *[]picture, r chart.Rows, f picture) {
	f.Title = r.Title
	r.Width = fullWidth
	if f.Half {
		r.Width = halfWidth
	}
	f.Wide = r.SVG()
	r.Width = phoneWidth
	f.Narrow = r.SVG()
	p.keep(to, f)
}

// keep adds the figure, with its first numbers if there are many, if there is room.
func (p *pictures) keep(to *[]picture, f picture) {
	if len(f.Rows) > maxNumbers {
		f.Rows = append(f.Rows[:maxNumbers:maxNumbers], []string{fmt.Sprintf("… %s more", text.Count(len(f.Rows)-maxNumbers))})
	}
	size := len(f.Wide) + len(f.Narrow)
	for _, row := range f.Rows {
		for _, words := range row {
			size += len(words) + len("<td></td>")
		}
	}
	if p.bytes+size > maxFigures {
		p.leftOut++
		return
	}
	p.bytes += size
	*to = append(*to, f)
}

// color returns the color of a variant, which is the same in all pictures.
func (p *pictures) color(variant string) int {
	return slices.IndexFunc(p.index.Scenario.Variants, func(v scenarios.Variant) bool { return v.Name == variant })
}

// levelTitle returns the level's label or name, or "" for a run of one level without
// factors.
func (p *pictures) levelTitle(name string) string { return cmp.Or(p.verdict.Labels[name], name) }

// titled returns "what at level".
func (p *pictures) titled(what, level string) string {
	if t := p.levelTitle(level); t != "" {
		return what + ", " + t
	}
	return what
}

// sweep holds levels that differ in one numeric factor only.
type sweep struct {
	factor string
	rest   string // what they have in common
	levels []scenarios.Level
	at     []float64 // the factor's value at each level
	texts  []string
}

// sweeps arranges the levels by the number of items or, if that does not vary, by
// the factor with the most values. A single level is a sweep of one.
func (p *pictures) sweeps() []sweep {
	factor := p.swept()
	var all []sweep
	for _, l := range p.index.Levels {
		at, _ := l.Number(factor)
		words := ""
		if v, ok := l.Value(factor); ok {
			words = fmt.Sprint(v)
		}
		rest := without(l.Name, factor)
		i := slices.IndexFunc(all, func(s sweep) bool { return s.rest == rest })
		if i < 0 {
			i = len(all)
			all = append(all, sweep{factor: factor, rest: rest})
		}
		all[i].levels, all[i].at, all[i].texts = append(all[i].levels, l), append(all[i].at, at), append(all[i].texts, words)
	}
	for i := range all {
		all[i].sort()
	}
	return all
}

// sort by the factor's value.
func (s *sweep) sort() {
	order := make([]int, len(s.at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.at[a], s.at[b]) })
	sorted := sweep{factor: s.factor, rest: s.rest}
	for _, i := range order {
		sorted.levels, sorted.at, sorted.texts = append(sorted.levels, s.levels[i]), append(sorted.at, s.at[i]), append(sorted.texts, s.texts[i])
	}
	*s = sorted
}

// last returns the level with the largest value.
func (s sweep) last() scenarios.Level { return s.levels[len(s.levels)-1] }

// swept returns the factor for the axis.
func (p *pictures) swept() string {
	values := map[string]map[float64]bool{}
	var names []string
	for _, l := range p.index.Levels {
		for _, part := range strings.Fields(l.Name) {
			name, _, _ := strings.Cut(part, "=")
			if v, ok := l.Number(name); ok {
				if values[name] == nil {
					values[name] = map[float64]bool{}
					names = append(names, name)
				}
				values[name][v] = true
			}
		}
	}
	if len(values[scenarios.DefaultFactor]) > 1 {
		return scenarios.DefaultFactor
	}
	best := scenarios.DefaultFactor
	for _, name := range names {
		if len(values[name]) > max(1, len(values[best])) {
			best = name
		}
	}
	return best
}

// without returns a level's name without one factor.
func without(level, factor string) string {
	var rest []string
	for _, part := range strings.Fields(level) {
		if name, _, _ := strings.Cut(part, "="); name != factor {
			rest = append(rest, part)
		}
	}
	return strings.Join(rest, " ")
}

// axis returns the axis of the factor: logarithmic if all values are above 0, with a
// tick at each.
func (s sweep) axis() chart.Axis {
	a := chart.Axis{Label: s.factor, Log: true, Tight: true}
	for i, v := range s.at {
		if v <= 0 {
			a.Log = false
		}
		a.Ticks = append(a.Ticks, chart.Tick{At: v, Text: s.texts[i]})
	}
	if s.factor == scenarios.DefaultFactor {
		a.Label = "N, items"
	}
	return a
}

// nanoseconds returns a logarithmic axis of times.
func nanoseconds(label string) chart.Axis {
	return chart.Axis{Label: label, Log: true, Format: func(ns float64) string { return text.Short(time.Duration(ns)) }}
}
