// Package chart draws charts as static SVG: lines with intervals over linear and
// logarithmic axes ([Chart]), values or stacked shares by name ([Rows]), and stacks of calls
// ([Flame]). See the example of [Chart.SVG].
//
// Colors are classes of [CSS], which has a light and a dark theme. Nothing is
// distinguished by color alone: lines have different markers and their names. Values
// are in tooltips (<title>). Values that are not finite, or not above 0 on a
// logarithmic axis, are omitted.
//
// The same chart gives the same bytes. Text is escaped.
package chart

import (
	_ "embed" // the style
	"html/template"
)

//go:embed chart.css
var css string

// CSS returns the styles of the charts for both themes. It sets the custom
// properties --c0 to --c7 and --chart-… of the root, which a page may use as well.
func CSS() template.CSS { return template.CSS(css) }

// Colors is the number of colors; further series repeat them with dashed lines.
const Colors = 8

// Neutral is the color of everything that is not a series of its own, such as a
// limit.
const Neutral = -1

// Chart is a picture of series over two axes.
type Chart struct {
	// Title is the title, and Text a description for readers who do not see the
	// chart.
	Title, Text string
	// Width and Height are the size of the drawing in pixels; zero means 720 and
	// 340. The names of the series are at the ends of the lines, or above the chart
	// if it is less than 500 pixels wide or has too many.
	Width, Height float64
	X, Y          Axis
	Series        []Series
	References    []Reference
	Ranges        []Range
}

// Axis is one of the two axes.
type Axis struct {
	// Label is the quantity with its unit.
	Label string
	// Log makes the axis logarithmic.
	Log bool
	// Include holds additional values that the axis must cover.
	Include []float64
	// Tight makes the axis end at the data rather than at the next round number.
	Tight bool
	// Ticks replaces the automatic ticks; those outside of the axis are omitted.
	Ticks []Tick
	// Format formats a value; nil means the fewest digits.
	Format func(float64) string
}

// Tick is a position on an axis with its text; an empty text means only a mark.
type Tick struct {
	At   float64
	Text string
}

// Series is a line.
type Series struct {
	Name string
	// Color is the index of the color, from 0, or [Neutral].
	Color int
	// Dashed distinguishes it from another series of its color.
	Dashed bool
	// Step keeps a value until the next one, for values sampled over time.
	Step bool
	// Bare omits the markers; tooltips then show the values of all series by X.
	Bare bool
	// Loose omits the line between the points.
	Loose bool
	// Fine draws small markers and intervals, for many points.
	Fine   bool
	Points []Point
}

// Point is a point of a series, whose points are ordered by X.
type Point struct {
	X, Y float64
	// Low and High are the ends of its interval; nil means that it has none.
	Low, High *float64
	// Text is the tooltip; empty means the name and both values.
	Text string
	// Link is the address to which a click on the marker leads, such as "#run"; empty
	// means none.
	Link string
}

// Reference is a line across the chart: a limit, or a moment. Labels of horizontal
// lines that do not find room are only tooltips.
type Reference struct {
	// Vertical places it at a value of X rather than of Y.
	Vertical bool
	At       float64
	Label    string
	// Alarm emphasizes it.
	Alarm bool
}

// Range is a shaded range of X.
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
