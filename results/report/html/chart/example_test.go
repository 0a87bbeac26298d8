package chart_test

import (
	"fmt"
	"strings"

	"floodgate/results/report/html/chart"
)

// A line with two points over a logarithmic axis.
func ExampleChart_SVG() {
	c := chart.Chart{
		Title: "Throughput", X: chart.Axis{Label: "limit", Log: true}, Y: chart.Axis{Label: "items/s"},
		Series: []chart.Series{{Name: "bounded", Points: []chart.Point{{X: 1, Y: 20}, {X: 100, Y: 900}}}},
	}
	svg := string(c.SVG())
	fmt.Println("lines:", strings.Count(svg, "<path"), "scripts:", strings.Count(svg, "<script"))
	// Output:
	// lines: 18 scripts: 0
}
