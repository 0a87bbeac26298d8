package chart

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// series draws the line, its intervals and its markers.
func (p *plot) series(s Series) {
	class := color(s.Color)
	var shown []Point
	for _, pt := range s.Points {
		if p.x.shows(pt.X) && p.y.shows(pt.Y) {
			shown = append(shown, pt)
		}
	}
	if !s.Loose {
		if d := p.linePath(s); d != "" {
			p.path("line "+class+dashed(s), d, cmp.Or(s.Name, p.chart.Title))
		}
	}
	if !s.Bare {
		for _, pt := range shown {
			p.interval(class, pt, s.Fine)
			d := marker(s.Color, p.x.pixel(pt.X), p.y.pixel(pt.Y), radius(s))
			if pt.Link != "" {
				p.link(pt.Link, "mark "+class, d, p.pointed(s, pt))
			} else {
				p.path("mark "+class, d, p.pointed(s, pt))
			}
		}
	}
	if len(shown) > 0 && s.Name != "" {
		last := shown[len(shown)-1]
		p.ends = append(p.ends, end{at: p.y.pixel(last.Y) + 4, x: p.x.pixel(last.X), text: s.Name, class: "name", series: s.Color})
	}
}

// linePath returns the path of a line, which is interrupted by values that cannot be
// shown.
func (p *plot) linePath(s Series) string {
	points := s.Points
	if s.Bare {
		points = p.thinned(points)
	}
	var d strings.Builder
	broken := true
	for _, pt := range points {
		if !p.x.shows(pt.X) || !p.y.shows(pt.Y) {
			broken = true
			continue
		}
		x, y := num(p.x.pixel(pt.X)), num(p.y.pixel(pt.Y))
		switch {
		case broken:
			d.WriteString("M" + x + " " + y)
		case s.Step:
			d.WriteString("H" + x + "V" + y)
		default:
			d.WriteString("L" + x + " " + y)
		}
		broken = false
	}
	return d.String()
}

// buckets is the number of positions of X at which a long line is drawn.
const buckets = 250

// thinned keeps the lowest and the highest point of each bucket, and the last point,
// so that the line looks the same.
func (p *plot) thinned(points []Point) []Point {
	if len(points) <= 2*buckets {
		return points
	}
	bucket := func(pt Point) int {
		if !p.x.shows(pt.X) {
			return -1
		}
		return int(buckets * (p.x.pixel(pt.X) - p.x.from) / (p.x.to - p.x.from))
	}
	var kept []Point
	for i := 0; i < len(points); {
		end, low, high := i, i, i
		for ; end < len(points) && bucket(points[end]) == bucket(points[i]); end++ {
			if points[end].Y < points[low].Y {
				low = end
			}
			if points[end].Y > points[high].Y {
				high = end
			}
		}
		kept = append(kept, points[min(low, high)])
		if low != high {
			kept = append(kept, points[max(low, high)])
		}
		i = end
	}
	return append(kept, points[len(points)-1])
}

func (p *plot) interval(class string, pt Point, fine bool) {
	if pt.Low == nil || pt.High == nil || !p.y.shows(*pt.Low) || !p.y.shows(*pt.High) {
		return
	}
	x, low, high := p.x.pixel(pt.X), p.y.pixel(*pt.Low), p.y.pixel(*pt.High)
	if fine { // the ends of neighbors would touch
		p.line("whisker fine "+class, x, low, x, high)
		return
	}
	p.line("whisker "+class, x, low, x, high)
	p.line("whisker "+class, x-4, low, x+4, low)
	p.line("whisker "+class, x-4, high, x+4, high)
}

func (p *plot) pointed(s Series, pt Point) string {
	if pt.Text != "" {
		return pt.Text
	}
	text := fmt.Sprintf("%s, %s", formatted(p.chart.X, pt.X), formatted(p.chart.Y, pt.Y))
	if s.Name != "" {
		text = s.Name + ": " + text
	}
	return text
}

func formatted(a Axis, v float64) string {
	if a.Format == nil {
		return shortest(v)
	}
	return a.Format(v)
}

// names writes the names of the series at their ends.
func (p *plot) names() {
	if p.legend {
		return
	}
	x := p.x.to + 16
	for _, e := range spread(p.ends, p.y.to+4, p.y.from+4) {
		p.line("leader "+color(e.series), e.x+5, e.at-4, x-3, e.y-4)
		p.text("name "+color(e.series), "start", x, e.y, shortened(e.text, p.width-x))
	}
}

// stripCount is the number of positions of X with tooltips if lines have no markers.
const stripCount = 32

// strips draws invisible areas with tooltips of the values of all bare series.
func (p *plot) strips() {
	if p.width < narrow || !slices.ContainsFunc(p.chart.Series, func(s Series) bool { return s.Bare && len(s.Points) > 0 }) {
		return // nothing to tell, or a telephone: no pointer rests there
	}
	step := (p.x.to - p.x.from) / stripCount
	for i := range stripCount {
		from := p.x.from + float64(i)*step
		at := p.x.value(from + step/2)
		lines := []string{formatted(p.chart.X, at)}
		for _, s := range p.chart.Series {
			if pt, ok := before(s, at); ok && s.Bare && p.y.shows(pt.Y) {
				text := cmp.Or(pt.Text, formatted(p.chart.Y, pt.Y))
				lines = append(lines, strings.TrimPrefix(s.Name+": "+text, ": "))
			}
		}
		if len(lines) > 1 {
			p.rect("hit", from, p.y.to, step, p.y.from-p.y.to, strings.Join(lines, "\n"))
		}
	}
}

// before returns the last point at or before x, or false if x is outside of the
// series.
func before(s Series, x float64) (Point, bool) {
	i, found := slices.BinarySearchFunc(s.Points, x, func(pt Point, x float64) int { return cmp.Compare(pt.X, x) })
	if found {
		return s.Points[i], true
	}
	if i == 0 || i == len(s.Points) {
		return Point{}, false
	}
	return s.Points[i-1], true
}
