package chart

import (
	"cmp"
	"html/template"
)

// Flame is a flame graph: the stacks of a program as a tree. A frame is as wide as its value,
// and stands below the one that called it. What is too narrow, or too deep, is left out.
type Flame struct {
	// Title is the title, and Text a description for readers who do not see the chart.
	Title, Text string
	// Width is the width in pixels; zero means 720.
	Width float64
	Root  Frame
}

// Frame is a function in a flame graph.
type Frame struct {
	Name string
	// Text is its tooltip.
	Text  string
	Value float64
	// Growth is the share of its value by which it grew, from −1 to 1. A frame that grew
	// notably has a + before its name, and another color.
	Growth float64
	Calls  []Frame
}

const (
	flameRow   = 19  // height of a frame
	flameLeast = 3   // least width of a frame
	flameDepth = 28  // most rows
	flameMost  = 220 // most frames
	notable    = 0.1 // least growth that is marked
)

// SVG draws the graph.
func (f *Flame) SVG() template.HTML {
	c := &flameCanvas{width: cmp.Or(f.Width, 720)}
	rows := c.place(f.Root)
	c.open(c.width, float64(rows)*flameRow+2, f.Title, f.Text)
	for _, p := range c.placed {
		class, name := "bar flame cn", p.frame.Name
		switch {
		case p.frame.Growth >= notable:
			class, name = "bar flame c1", "+ "+name
		case p.frame.Growth <= -notable:
			class, name = "bar flame c0", "− "+name
		}
		y := 1 + float64(p.row)*flameRow
		c.rect(class, p.x, y, p.width, flameRow-1, p.frame.Text)
		if words := shortened(name, p.width-8); len([]rune(words)) > 3 {
			c.text("flame", "start", p.x+4, y+13, words)
		}
	}
	return c.close()
}

// flameCanvas places the frames of a flame graph.
type flameCanvas struct {
	canvas
	width  float64
	placed []placedFrame
}

type placedFrame struct {
	frame    *Frame
	x, width float64
	row      int
}

// place places the frames row by row, the widest part of the graph first if there are too
// many, and returns the number of rows.
func (c *flameCanvas) place(root Frame) (rows int) {
	c.placed = []placedFrame{{frame: &root, width: c.width}}
	for next := 0; next < len(c.placed) && len(c.placed) < flameMost; next++ {
		p := c.placed[next]
		rows = max(rows, p.row+1)
		x := p.x
		if p.row+1 == flameDepth || !(p.frame.Value > 0) {
			continue
		}
		for i := range p.frame.Calls {
			call := &p.frame.Calls[i]
			width := p.width * call.Value / p.frame.Value
			if width >= flameLeast && len(c.placed) < flameMost {
				c.placed = append(c.placed, placedFrame{call, x, width, p.row + 1})
				rows = max(rows, p.row+2)
			}
			x += width
		}
	}
	return max(rows, 1)
}
