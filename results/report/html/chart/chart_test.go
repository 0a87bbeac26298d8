package chart_test

import (
	"flag"
	"fmt"
	"html/template"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/results/report/html/chart"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got template.HTML) {
	t.Helper()
	path := filepath.Join("testdata", name+".svg")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", path, diff)
	}
}

func percent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }

// reductions returns a chart of two strategies over the number of items.
func reductions() chart.Chart {
	line := func(values ...float64) (points []chart.Point) {
		for i, n := range []float64{5, 10, 50, 200, 2000} {
			points = append(points, chart.Point{X: n, Y: values[i], Low: new(values[i] - 0.04), High: new(min(values[i]+0.04, 1))})
		}
		return points
	}
	return chart.Chart{
		Title: "Reduction of the makespan", Text: "Two strategies",
		X: chart.Axis{Label: "items", Log: true}, Y: chart.Axis{Label: "reduction", Include: []float64{0, 1}, Format: percent},
		Series: []chart.Series{
			{Name: "bounded-10", Color: 0, Points: line(0.55, 0.7, 0.85, 0.89, 0.9)},
			{Name: "joined-300", Color: 1, Points: line(0.54, 0.69, 0.84, 0.93, 0.95)},
		},
		References: []chart.Reference{{At: 0.6, Label: "claimed: at least 60 %"}},
	}
}

// course returns a chart of a trial that runs out of descriptors.
func course() chart.Chart {
	total, limit := chart.Series{Name: "all descriptors", Color: 0, Step: true, Bare: true}, 256.0
	pool := chart.Series{Name: "slots in use", Color: 1, Step: true, Bare: true, Dashed: true}
	for i := range 2000 {
		at := float64(i) / 100
		total.Points = append(total.Points, chart.Point{X: at, Y: math.Min(limit, 12+at*at)})
		pool.Points = append(pool.Points, chart.Point{X: at, Y: 10 - float64(i%3)})
	}
	return chart.Chart{
		Title: "Descriptors over time",
		X:     chart.Axis{Label: "time, s", Tight: true}, Y: chart.Axis{Label: "descriptors"},
		Series:     []chart.Series{total, pool},
		References: []chart.Reference{{At: limit, Label: "nofile 256", Alarm: true}, {Vertical: true, At: 15.6, Label: "EMFILE after 15.6 s", Alarm: true}},
		Ranges:     []chart.Range{{From: 2, To: 6, Label: "recommended"}},
	}
}

func rows() chart.Rows {
	return chart.Rows{
		Title: "Makespan",
		Value: chart.Axis{Label: "seconds", Log: true},
		Rows: []chart.Row{
			{Name: "sequential", Points: []chart.Mark{{At: 4.1, Text: "block 0"}, {At: 4.3}}, Middle: &chart.Mark{At: 4.2, Text: "median 4.2 s", Low: new(3.9), High: new(4.6)}, Text: "4.20 s"},
			{Name: "bounded-10", Color: 1, Points: []chart.Mark{{At: 0.41}, {At: 0.5}}, Middle: &chart.Mark{At: 0.45}, Bound: &chart.Mark{At: 0.4}, Text: "450 ms"},
		},
		References: []chart.Reference{{At: 1, Label: "budget 1 s"}},
	}
}

func stacked() chart.Rows {
	return chart.Rows{
		Title: "Where an item's time goes", Value: chart.Axis{Format: percent}, Parts: []string{"queue", "fetch", "wait for the pool", "write"},
		Rows: []chart.Row{
			{Name: "sequential", Parts: []chart.Mark{{At: 0}, {At: 0.9, Text: "fetch 90 %"}, {At: 0}, {At: 0.1}}, Text: "21 ms"},
			{Name: "unbounded", Parts: []chart.Mark{{At: 0.25}, {At: 0.25}, {At: 0.25}, {At: 0.25}}, Text: "210 ms"},
		},
	}
}

func TestGolden(t *testing.T) {
	for _, width := range []float64{0, 358} {
		for name, c := range map[string]chart.Chart{"reductions": reductions(), "course": course(), "empty": {Title: "nothing"}} {
			c.Width = width
			golden(t, fmt.Sprintf("%s-%g", name, width), c.SVG())
		}
		for name, r := range map[string]chart.Rows{"rows": rows(), "stacked": stacked()} {
			r.Width = width
			golden(t, fmt.Sprintf("%s-%g", name, width), r.SVG())
		}
	}
}

// A chart is small, however many points it has.
func TestSize(t *testing.T) {
	c := course()
	for i := range 200_000 {
		c.Series[0].Points = append(c.Series[0].Points, chart.Point{X: 20 + float64(i)/10_000, Y: float64(i % 100)})
	}
	if n := len(c.SVG()); n > 25_000 {
		t.Errorf("%d bytes", n)
	}
	two := reductions()
	if n := len(two.SVG()); n > 8_000 {
		t.Errorf("%d bytes of two lines", n)
	}
}

// Names from users are rendered as text.
func TestHostileNames(t *testing.T) {
	const evil = "</title><script>alert(1)</script>\u202eabc\x00\"'"
	c := reductions()
	c.Title, c.Text, c.X.Label, c.References[0].Label = evil, evil, evil, evil
	c.Series[0].Name, c.Series[0].Points[0].Text = evil, evil
	r := rows()
	r.Title, r.Rows[0].Name, r.Rows[0].Text, r.Rows[0].Middle.Text = evil, evil, evil, evil
	for _, svg := range []template.HTML{c.SVG(), r.SVG()} {
		for _, bad := range []string{"<script", "\u202e", "\x00", "</title><s"} {
			if strings.Contains(string(svg), bad) {
				t.Errorf("%q is in the drawing", bad)
			}
		}
		parse(t, svg)
	}
}

// Markers with a link lead to its address, whose text is escaped; a drawing with links is
// not one image.
func TestLinks(t *testing.T) {
	c := chart.Chart{Title: "t", Width: 400, Series: []chart.Series{{Fine: true, Points: []chart.Point{
		{X: 1, Y: 1, Low: new(0.5), High: new(2.0), Link: "runs/1.html"}, {X: 2, Y: 2, Link: `#"><script>`}, {X: 3, Y: 3},
	}}}}
	svg := string(c.SVG())
	for _, want := range []string{`<a href="runs/1.html"><path class="mark c0"`, `<a href="#&#34;&gt;&lt;script&gt;">`, `role="group"`, `class="whisker fine c0"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("the drawing lacks %q", want)
		}
	}
	if n := strings.Count(svg, "<a "); n != 2 {
		t.Errorf("%d links", n)
	}
	c.Series[0].Points = c.Series[0].Points[2:]
	if svg := string(c.SVG()); !strings.Contains(svg, `role="img"`) || strings.Contains(svg, "<a ") {
		t.Error("a drawing without links is not an image")
	}
}
