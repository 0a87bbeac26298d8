// Package chart draws charts as SVG for a page that loads nothing: lines with
// intervals over linear and logarithmic axes ([Chart]), and values or stacked
// shares by name ([Rows]).
//
// Colours are classes of [CSS], which has a light and a dark theme; nothing is
// told by colour alone: lines differ in their markers and carry their names. A
// value can be read where the pointer rests (<title>). What is not finite, or
// not above 0 on a logarithmic axis, is left out; it never becomes text.
//
// The same chart gives the same bytes. Text is escaped.
package chart

import (
	_ "embed" // the style
	"html/template"
)

//go:embed chart.css
var css string

// CSS styles the charts of a page, for both themes. It sets custom properties
// of the root, --c0 to --c7 and --chart-…, that a page may use as well.
func CSS() template.CSS { return template.CSS(css) }

// Colors is how many colours there are; beyond, they come again with dashed lines.
const Colors = 8

// Neutral is the colour of what is no series of its own, such as a limit.
const Neutral = -1

// Chart is a picture of series over two axes.
type Chart struct {
	// Title names it, and Text says what it shows, to who does not see it.
	Title, Text string
	// Width and Height of the drawing in pixels. 0: 720 and 340. The names of the
	// series stand at their ends; above the picture where it is less than 500
	// wide, and where there are too many.
	Width, Height float64
	X, Y          Axis
	Series        []Series
	References    []Reference
	Ranges        []Range
}

// Axis is one of the two.
type Axis struct {
	// Label says what is measured, with its unit.
	Label string
	// Log makes it logarithmic. Default linear.
	Log bool
	// Include are values that it covers beside the data.
	Include []float64
	// Tight ends it at the data, and not at the next round number.
	Tight bool
	// Ticks replace those that are found; all of them lie within what is shown,
	// others are left out.
	Ticks []Tick
	// Format writes a value. Default: the fewest digits.
	Format func(float64) string
}

// Tick is a place on an axis and its text; empty: a mark without one.
type Tick struct {
	At   float64
	Text string
}

// Series is a line.
type Series struct {
	Name string
	// Color from 0; [Neutral].
	Color int
	// Dashed tells it apart from another one of its colour.
	Dashed bool
	// Step keeps a value until the next, for what was sampled in time.
	Step bool
	// Bare leaves out the markers; the pointer then finds the values of all series by X.
	Bare bool
	// Loose leaves out the line between the points.
	Loose  bool
	Points []Point
}

// Point of a series; X grows.
type Point struct {
	X, Y float64
	// Low and High are the ends of its interval; nil: it has none.
	Low, High *float64
	// Text is shown where the pointer rests. Default: the name and both values.
	Text string
}

// Reference is a line across the picture: a limit, or a moment. Of many labels
// of values of Y those that find no room are left to the pointer.
type Reference struct {
	// Vertical puts it at a value of X. Default: at one of Y.
	Vertical bool
	At       float64
	Label    string
	// Alarm has it stand out.
	Alarm bool
}

// Range is a range of X that is shaded.
type Range struct {
	From, To float64
	Label    string
}

// SVG draws the chart.
func (c *Chart) SVG() template.HTML {
	p := newPlot(c)
	p.open()
	p.ranges()
	p.axes()
	p.references()
	for _, s := range c.Series {
		p.series(s)
	}
	p.names()
	p.strips()
	p.labels()
	return p.close()
}
