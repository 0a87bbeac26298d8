package chart_test

import (
	"fmt"
	"strings"
	"testing"

	"floodgate/results/report/html/chart"
)

func flame() chart.Flame {
	return chart.Flame{
		Title: "Stacks", Text: "Where the time goes",
		Root: chart.Frame{Name: "all", Text: "all: 100", Value: 100, Growth: 0.6, Calls: []chart.Frame{
			{Name: "main.serve", Text: "main.serve: 90", Value: 90, Growth: 0.66, Calls: []chart.Frame{
				{Name: "main.hot", Text: "main.hot: 70, +70", Value: 70, Growth: 1},
				{Name: "main.parse", Text: "main.parse: 15, −5", Value: 15, Growth: -0.33},
				{Name: "main.tiny", Value: 0.1},
			}},
			{Name: "runtime.gcBgMarkWorker", Text: "runtime.gcBgMarkWorker: 10", Value: 10},
		}},
	}
}

func TestFlameGolden(t *testing.T) {
	for _, width := range []float64{0, 358} {
		f := flame()
		f.Width = width
		golden(t, fmt.Sprintf("flame-%g", width), f.SVG())
	}
	golden(t, "flame-empty", (&chart.Flame{Title: "nothing"}).SVG())
}

// A graph is small, however many stacks there are and however deep they are.
func TestFlameSize(t *testing.T) {
	deep := chart.Frame{Name: "main.recursive", Value: 1}
	for range 5000 {
		deep = chart.Frame{Name: "main.recursive", Value: 1, Calls: []chart.Frame{deep}}
	}
	wide := chart.Frame{Name: "main.wide", Value: 1e6}
	for range 10_000 {
		wide.Calls = append(wide.Calls, chart.Frame{Name: strings.Repeat("x", 500), Value: 100, Calls: []chart.Frame{{Name: "y", Value: 100}}})
	}
	for name, root := range map[string]chart.Frame{"deep": deep, "wide": wide} {
		svg := (&chart.Flame{Root: root}).SVG()
		parse(t, svg)
		if len(svg) > 40_000 {
			t.Errorf("%s: %d bytes", name, len(svg))
		}
	}
}

// Names of functions are rendered as text.
func TestFlameHostileNames(t *testing.T) {
	const evil = "</title><script>alert(1)</script>\u202eabc\x00\"'"
	f := flame()
	f.Title, f.Text, f.Root.Name, f.Root.Text = evil, evil, evil, evil
	svg := f.SVG()
	for _, bad := range []string{"<script", "\u202e", "\x00", "</title><s"} {
		if strings.Contains(string(svg), bad) {
			t.Errorf("%q is in the drawing", bad)
		}
	}
	parse(t, svg)
}
