package chart

import (
	"cmp"
	"html/template"
	"math"
	"slices"
)

// Rows is a chart of values by name, one row each.
type Rows struct {
	// Title is the title, and Text a description for readers who do not see the
	// chart.
	Title, Text string
	// Width is the width in pixels; zero means 720. Below 500, names are above their
	// rows.
	Width float64
	// Value is the common axis of all rows.
	Value Axis
	// Parts holds the names of the rows' parts; nil means that rows have none.
	Parts      []string
	Rows       []Row
	References []Reference // at a value; Vertical is of no matter
}

// Row is one name.
type Row struct {
	Name string
	// Color is the index of the color of its marks, from 0.
	Color int
	// Points holds single values, drawn small.
	Points []Mark
	// Middle is drawn large, with its interval; nil means none.
	Middle *Mark
	// Bound is a line at the value that should not be exceeded; nil means none.
	Bound *Mark
	// Parts are stacked from 0, one for each of the chart's parts; nil means no bar.
	Parts []Mark
	// Text is the text at the right.
	Text string
}

// Mark is a value with its tooltip.
type Mark struct {
	At   float64
	Text string
	// Low and High are the ends of its interval; nil means that it has none.
	Low, High *float64
}

// rowsPlot is the layout of [Rows].
type rowsPlot struct {
	canvas
	rows   *Rows
	width  float64
	narrow bool
	scale  scale
	top    float64
	pitch  float64 // height of a row
	refs   []Reference
	parts  []entry // names of the parts, above
}

// SVG draws the chart.
func (r *Rows) SVG() template.HTML {
	p := &rowsPlot{rows: r, width: cmp.Or(r.Width, 720)}
	p.narrow = p.width < narrow
	p.layout()
	bottom := p.top + float64(len(r.Rows))*p.pitch
	height := bottom + 2*lineHeight + 10
	p.open(p.width, height, r.Title, r.Text)
	for _, e := range p.parts {
		p.rect("bar "+color(e.series), e.x, e.y-9, 11, 10, "")
		p.text("name", "start", e.x+16, e.y, e.text)
	}
	p.axis(bottom)
	for i, row := range r.Rows {
		p.row(row, p.top+float64(i)*p.pitch)
	}
	return p.close()
}

func (p *rowsPlot) layout() {
	var values []float64
	names, texts := 0.0, 0.0
	for _, row := range p.rows.Rows {
		names, texts = max(names, width(row.Name)), max(texts, width(row.Text))
		sum := 0.0
		for _, m := range row.Parts {
			if ok(m.At) {
				sum += max(m.At, 0)
			}
			values = append(values, 0, sum)
		}
		for _, m := range row.Points {
			values = append(values, m.At)
		}
		for _, m := range []*Mark{row.Middle, row.Bound} {
			if m != nil {
				values = append(values, m.At)
			}
		}
	}
	for _, r := range p.rows.References {
		values = append(values, r.At)
	}
	for _, row := range p.rows.Rows {
		if m := row.Middle; m != nil && m.Low != nil && m.High != nil {
			values = append(values, *m.Low, *m.High)
		}
	}
	p.scale = newScale(p.rows.Value, values)
	for _, r := range p.rows.References {
		if p.scale.shows(r.At) {
			p.refs = append(p.refs, r)
		}
	}
	slices.SortStableFunc(p.refs, func(a, b Reference) int { return cmp.Compare(a.At, b.At) })
	p.pitch, p.top = 30, 6
	left := min(names, 0.3*p.width) + 10
	right := min(texts, 0.35*p.width) + 14
	if p.narrow {
		p.pitch, left, right = 46, 8, 12
	}
	if n := len(p.scale.ticks); n > 0 {
		left = max(left, width(p.scale.ticks[0].Text)/2+2)
		right = max(right, width(p.scale.ticks[n-1].Text)/2+2)
	}
	p.scale.from, p.scale.to = left, max(p.width-right, left+20)
	p.placeParts()
	p.top += float64(len(p.refs)) * lineHeight
}

func ok(v float64) bool { return !math.IsNaN(v) && math.Abs(v) <= largest }

// placeParts arranges the names of the parts in rows above the chart.
func (p *rowsPlot) placeParts() {
	x, y := 0.0, fontSize+2
	for i, name := range p.rows.Parts {
		text := shortened(name, p.width-20)
		w := width(text) + 30
		if x > 0 && x+w > p.width {
			x, y = 0, y+lineHeight
		}
		p.parts = append(p.parts, entry{i, x, y, text})
		x += w
	}
	if len(p.parts) > 0 {
		p.top += y + 4
	}
}

func (p *rowsPlot) axis(bottom float64) {
	free := -1e9
	for _, t := range p.scale.ticks {
		x, class := p.scale.pixel(t.At), "grid"
		if t.Text == "" {
			class = "minor"
		}
		p.line(class, x, p.top, x, bottom)
		if half := width(t.Text) / 2; t.Text != "" && x-half > max(free+4, -2) && x+half <= p.width {
			p.text("tick", "middle", x, bottom+4+fontSize, t.Text)
			free = x + half
		}
	}
	p.line("axis", p.scale.from, bottom, p.scale.to, bottom)
	p.text("title", "end", p.scale.to, bottom+2*lineHeight+3, shortened(p.rows.Value.Label, p.scale.to))
	for i, r := range p.refs {
		class := ""
		if r.Alarm {
			class = " alarm"
		}
		x, y := p.scale.pixel(r.At), p.top-5-float64(len(p.refs)-1-i)*lineHeight
		p.line("reference"+class, x, y+3, x, bottom)
		label := shortened(r.Label, p.width-4)
		half := width(label) / 2
		p.text("name"+class, "middle", min(max(x, half+2), p.width-half-2), y, label)
	}
}

func (p *rowsPlot) row(r Row, top float64) {
	y := top + p.pitch/2
	if p.narrow {
		y = top + p.pitch - 14
		text := shortened(r.Text, p.width/2)
		p.text("name halo", "start", p.scale.from, top+14, shortened(r.Name, p.width-width(text)-p.scale.from-20))
		p.text("name halo", "end", p.width-2, top+14, text)
	} else {
		p.text("name", "end", p.scale.from-10, y+4, shortened(r.Name, p.scale.from-10))
		p.text("name", "start", p.scale.to+10, y+4, shortened(r.Text, p.width-p.scale.to-10))
	}
	sum := 0.0
	for i, m := range r.Parts {
		if !ok(m.At) || m.At <= 0 {
			continue
		}
		from, to := p.scale.pixel(sum), p.scale.pixel(sum+m.At)
		p.rect("bar "+color(i), from, y-8, to-from, 16, m.Text)
		sum += m.At
	}
	for _, m := range r.Points {
		if p.scale.shows(m.At) {
			p.path("dot "+color(r.Color), marker(0, p.scale.pixel(m.At), y, markerRadius), m.Text)
		}
	}
	if m := r.Bound; m != nil && p.scale.shows(m.At) {
		x := p.scale.pixel(m.At)
		p.path("bound", "M"+num(x)+" "+num(y-10)+"V"+num(y+10), m.Text)
	}
	if m := r.Middle; m != nil && p.scale.shows(m.At) {
		if m.Low != nil && m.High != nil && p.scale.shows(*m.Low) && p.scale.shows(*m.High) {
			low, high := p.scale.pixel(*m.Low), p.scale.pixel(*m.High)
			class := "whisker " + color(r.Color)
			p.line(class, low, y, high, y)
			p.line(class, low, y-5, low, y+5)
			p.line(class, high, y-5, high, y+5)
		}
		p.path("mark "+color(r.Color), marker(3, p.scale.pixel(m.At), y, markerRadius), m.Text)
	}
}
