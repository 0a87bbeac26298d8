package chart

import (
	"cmp"
	"slices"
	"strings"
)

// plot is the layout of a chart.
type plot struct {
	canvas
	chart         *Chart
	width, height float64
	x, y          scale
	legend        bool    // names above, not at the ends
	legendRows    []entry // with their places
	notes         int     // rows of labels above the picture: of vertical references and ranges
	ends          []end
	late          []func() // texts, which are drawn over everything else
}

// entry is a name above the chart.
type entry struct {
	series int
	x, y   float64
	text   string
}

// narrow is the width below which names do not fit at the side.
const narrow = 500

// lineHeight is the height of a line of text; labelGap is the minimum distance of
// labels.
const (
	lineHeight = 17.0
	labelGap   = 15.0
)

func newPlot(c *Chart) *plot {
	p := &plot{chart: c, width: cmp.Or(c.Width, 720), height: cmp.Or(c.Height, 340)}
	p.legend = p.width < narrow || float64(len(c.Series))*labelGap > p.height-120
	var xs, ys []float64
	for _, s := range c.Series {
		for _, pt := range s.Points {
			xs, ys = append(xs, pt.X), append(ys, pt.Y)
			if pt.Low != nil && pt.High != nil {
				ys = append(ys, *pt.Low, *pt.High)
			}
		}
	}
	for _, r := range c.References {
		if r.Vertical {
			xs = append(xs, r.At)
		} else {
			ys = append(ys, r.At)
		}
	}
	for _, r := range c.Ranges {
		xs = append(xs, r.From, r.To)
	}
	p.x, p.y = newScale(c.X, xs), newScale(c.Y, ys)
	p.layout()
	return p
}

// layout reserves room for the texts around the chart.
func (p *plot) layout() {
	left := 30.0
	for _, t := range p.y.ticks {
		left = max(left, width(t.Text)+12)
	}
	right := 20.0
	if n := len(p.x.ticks); n > 0 {
		right = max(right, width(p.x.ticks[n-1].Text)/2+4)
	}
	if !p.legend {
		for _, s := range p.chart.Series {
			right = max(right, min(width(s.Name), 0.27*p.width)+20)
		}
	}
	top := lineHeight + 10 // the label of y
	if p.legend {
		top += p.placeLegend()
	}
	for _, r := range p.chart.References {
		if r.Vertical {
			p.notes++
		}
	}
	for _, r := range p.chart.Ranges {
		if r.Label != "" {
			p.notes++
		}
	}
	if p.notes > 0 {
		top += float64(p.notes)*lineHeight + 4
	}
	bottom := 2*lineHeight + 10
	p.x.from, p.x.to = left, max(p.width-right, left+20)
	p.y.from, p.y.to = max(p.height-bottom, top+20), top
	p.height = p.y.from + bottom
}

// placeLegend arranges the names in rows, and returns their height.
func (p *plot) placeLegend() float64 {
	x, y := 0.0, lineHeight
	for i, s := range p.chart.Series {
		if s.Name == "" {
			continue
		}
		text := shortened(s.Name, p.width-40)
		w := width(text) + 38
		if x > 0 && x+w > p.width {
			x, y = 0, y+lineHeight
		}
		p.legendRows = append(p.legendRows, entry{i, x, y, text})
		x += w
	}
	if len(p.legendRows) == 0 {
		return 0
	}
	return y + 4
}

func (p *plot) open() {
	for _, s := range p.chart.Series {
		p.linked = p.linked || slices.ContainsFunc(s.Points, func(pt Point) bool { return pt.Link != "" })
	}
	p.canvas.open(p.width, p.height, p.chart.Title, p.chart.Text)
	for _, e := range p.legendRows {
		s := p.chart.Series[e.series]
		if !s.Loose {
			p.line("line "+color(s.Color)+dashed(s), e.x+2, e.y-4, e.x+24, e.y-4)
		}
		if !s.Bare {
			p.path("mark "+color(s.Color), marker(s.Color, e.x+13, e.y-4, radius(s)), "")
		}
		p.text("name", "start", e.x+29, e.y, e.text)
	}
}

// radius returns that of the markers of a series.
func radius(s Series) float64 {
	if s.Fine {
		return fineRadius
	}
	return markerRadius
}

func dashed(s Series) string {
	if s.Dashed != (s.Color >= Colors && s.Color/Colors%2 == 1) {
		return " dashed"
	}
	return ""
}

// axes draws the grid and the labels of the axes.
func (p *plot) axes() {
	last := 1e9 // where the last text was
	for _, t := range p.y.ticks {
		y := p.y.pixel(t.At)
		class := "grid"
		if t.Text == "" {
			class = "minor"
		}
		p.line(class, p.x.from, y, p.x.to, y)
		if t.Text != "" && y+labelGap <= last {
			p.text("tick", "end", p.x.from-6, y+4, t.Text)
			last = y
		}
	}
	free := -1e9 // where the last text ended
	for _, t := range p.x.ticks {
		x := p.x.pixel(t.At)
		p.line("axis", x, p.y.from, x, p.y.from+4)
		if half := width(t.Text) / 2; t.Text != "" && x-half > max(free+4, -2) && x+half <= p.width {
			p.text("tick", "middle", x, p.y.from+4+fontSize, t.Text)
			free = x + half
		}
	}
	p.line("axis", p.x.from, p.y.from, p.x.to, p.y.from)
	p.text("title", "end", p.x.to, p.y.from+2*lineHeight+3, shortened(p.chart.X.Label, p.x.to))
	top := fontSize
	if n := len(p.legendRows); n > 0 {
		top += p.legendRows[n-1].y + 4
	}
	p.text("title", "start", 0, top, shortened(p.chart.Y.Label, p.width))
}

// ranges draws the shaded ranges of X.
func (p *plot) ranges() {
	for _, r := range p.chart.Ranges {
		if !p.x.shows(r.From) || !p.x.shows(r.To) {
			continue
		}
		from, to := p.x.pixel(r.From), p.x.pixel(r.To)
		p.rect("range", from, p.y.to, to-from, p.y.from-p.y.to, r.Label)
		if r.Label != "" {
			p.note("name", (from+to)/2, r.Label)
		}
	}
}

// references draws lines across the chart with their labels.
func (p *plot) references() {
	var left, right []end
	for _, r := range p.chart.References {
		class := "reference"
		if r.Alarm {
			class += " alarm"
		}
		switch {
		case r.Vertical && p.x.shows(r.At):
			x := p.x.pixel(r.At)
			p.path(class, "M"+num(x)+" "+num(p.y.to)+"V"+num(p.y.from), r.Label)
			p.note("name"+strings.TrimPrefix(class, "reference"), x, r.Label)
		case !r.Vertical && p.y.shows(r.At):
			y := p.y.pixel(r.At)
			p.path(class, "M"+num(p.x.from)+" "+num(y)+"H"+num(p.x.to), r.Label)
			l := end{at: y - 5, text: shortened(r.Label, p.x.to-p.x.from-8), class: "name halo" + strings.TrimPrefix(class, "reference")}
			w := width(l.text)
			if w < (p.x.to-p.x.from)/2-10 && p.crowd(p.x.from, w, y) > p.crowd(p.x.to-w, w, y) {
				right = append(right, l)
			} else {
				left = append(left, l)
			}
		}
	}
	left, right = spread(left, p.y.to+fontSize, p.y.from-4), spread(right, p.y.to+fontSize, p.y.from-4)
	p.late = append(p.late, func() {
		for _, l := range left {
			p.text(l.class, "start", p.x.from+6, l.y, l.text)
		}
		for _, l := range right {
			p.text(l.class, "end", p.x.to-6, l.y, l.text)
		}
	})
}

// crowd returns the number of points under a label.
func (p *plot) crowd(x, w, y float64) (n int) {
	for _, s := range p.chart.Series {
		for _, pt := range s.Points {
			if px, py := p.x.pixel(pt.X), p.y.pixel(pt.Y); px > x-12 && px < x+w+12 && py > y-24 && py < y+10 {
				n++
			}
		}
	}
	return n
}

// note writes a label above the chart, each in its own row, centered over x if
// possible.
func (p *plot) note(class string, x float64, label string) {
	p.notes--
	y := p.y.to - 9 - float64(p.notes)*lineHeight
	label = shortened(label, p.width-4)
	half := width(label) / 2
	x = min(max(x, half+2), p.width-half-2)
	p.late = append(p.late, func() { p.text(class, "middle", x, y, label) })
}

// labels draws the postponed texts on top of everything else.
func (p *plot) labels() {
	for _, draw := range p.late {
		draw()
	}
}

// end is a label beside the end of a line.
type end struct {
	at, y       float64 // base line: where it belongs, and where it is put
	text, class string
	series      int
	x           float64 // where its line ends
}

// spread places labels between top and bottom, as near to their positions as the gap
// between them allows. It omits those that do not fit.
func spread(labels []end, top, bottom float64) []end {
	slices.SortStableFunc(labels, func(a, b end) int { return cmp.Compare(a.at, b.at) })
	labels = labels[:min(len(labels), 1+int(max(bottom-top, 0)/labelGap))]
	for i := range labels {
		labels[i].y = min(max(labels[i].at, top), bottom)
		if i > 0 {
			labels[i].y = max(labels[i].y, labels[i-1].y+labelGap)
		}
	}
	limit := bottom
	for i := len(labels) - 1; i >= 0; i-- {
		labels[i].y = min(labels[i].y, limit)
		limit = labels[i].y - labelGap
	}
	return labels
}
