package chart_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results/report/html/chart"
)

// box is the box of a text, in pixels.
type box struct {
	text                     string
	left, right, top, bottom float64
}

func (b box) overlaps(o box) bool {
	return b.left < o.right-1 && o.left < b.right-1 && b.top < o.bottom-1 && o.top < b.bottom-1
}

// fataler is implemented by testing.T and rapid.T.
type fataler interface {
	Fatalf(format string, args ...any)
	Helper()
}

// parse parses a drawing and returns the boxes of its texts, whose widths are estimated
// from the average width of a letter.
func parse(t fataler, svg template.HTML) (boxes []box, width, height float64) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	var at *box
	anchor := ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return boxes, width, height
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch e := token.(type) {
		case xml.StartElement:
			attrs := map[string]string{}
			for _, a := range e.Attr {
				attrs[a.Name.Local] = a.Value
				for _, bad := range []string{"NaN", "Inf", "e+", "e-"} {
					if a.Name.Local != "class" && a.Name.Local != "text-anchor" && strings.Contains(a.Value, bad) {
						t.Fatalf("%s=%q of %s", a.Name.Local, a.Value, e.Name.Local)
					}
				}
			}
			switch e.Name.Local {
			case "path":
				for _, m := range step.FindAllStringSubmatch(attrs["d"], -1) {
					x, y := m[1], m[2]
					switch m[3] {
					case "H":
						x = m[4]
					case "V":
						y = m[4]
					}
					if x != "" && outside(number(t, x), width) || y != "" && outside(number(t, y), height) {
						t.Fatalf("the path %s leaves the drawing of %g × %g", attrs["d"], width, height)
					}
				}
			case "svg":
				width, height = number(t, attrs["width"]), number(t, attrs["height"])
			case "text":
				x, y := number(t, attrs["x"]), number(t, attrs["y"])
				at, anchor = &box{left: x, top: y - 10, bottom: y + 2}, attrs["text-anchor"]
			}
		case xml.CharData:
			if at != nil {
				at.text += string(e)
			}
		case xml.EndElement:
			if e.Name.Local == "text" {
				w := 6.2 * float64(len([]rune(at.text)))
				at.left -= map[string]float64{"": 0, "middle": w / 2, "end": w}[anchor]
				at.right = at.left + w
				boxes = append(boxes, *at)
				at = nil
			}
		}
	}
}

// step matches a step of a path: M or L and a point, or H or V and a coordinate.
var step = regexp.MustCompile(`[ML](-?[0-9.]+) (-?[0-9.]+)|([HV])(-?[0-9.]+)`)

func outside(v, size float64) bool { return v < -2 || v > size+2 }

func number(t fataler, text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return v
}

// check describes a fault of the texts of a drawing; empty means none.
func check(boxes []box, width, height float64) string {
	for i, b := range boxes {
		if b.left < -2 || b.right > width+2 || b.top < -2 || b.bottom > height+2 {
			return fmt.Sprintf("%+v lies outside of %g × %g", b, width, height)
		}
		for _, o := range boxes[:i] {
			if b.overlaps(o) {
				return fmt.Sprintf("%+v overlaps %+v", b, o)
			}
		}
	}
	return ""
}

func TestCheckFinds(t *testing.T) {
	a := box{"a", 0, 10, 0, 10}
	if check([]box{a, {"b", 5, 15, 5, 15}}, 100, 100) == "" || check([]box{{"b", 95, 115, 5, 15}}, 100, 100) == "" || check([]box{a}, 100, 100) != "" {
		t.Error("the check finds nothing, or finds fault with everything")
	}
}

// anyValue generates numbers of any magnitude, including NaN and infinity.
func anyValue() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Float64Range(0, 1), rapid.Float64Range(0, 1e6), rapid.Float64Range(-50, 50), rapid.Float64(),
		rapid.SampledFrom([]float64{0, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 5e-324, 1, 1 + 1e-15}),
	)
}

func anyName() *rapid.Generator[string] {
	return rapid.StringOfN(rapid.RuneFrom([]rune("abehnopsu0123459-_=")), 1, 60, -1)
}

func anyAxis() *rapid.Generator[chart.Axis] {
	return rapid.Custom(func(t *rapid.T) chart.Axis {
		return chart.Axis{Label: anyName().Draw(t, "label"), Log: rapid.Bool().Draw(t, "log"), Tight: rapid.Bool().Draw(t, "tight"), Include: rapid.SliceOfN(anyValue(), 0, 2).Draw(t, "include")}
	})
}

func TestChartProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := chart.Chart{Title: "t", Width: rapid.SampledFrom([]float64{0, 358, 700}).Draw(t, "width"), X: anyAxis().Draw(t, "x"), Y: anyAxis().Draw(t, "y")}
		for i := range rapid.IntRange(0, 14).Draw(t, "series") {
			s := chart.Series{Name: anyName().Draw(t, "name"), Color: i, Step: rapid.Bool().Draw(t, "step"), Bare: rapid.Bool().Draw(t, "bare")}
			for range rapid.IntRange(0, 8).Draw(t, "points") {
				p := chart.Point{X: anyValue().Draw(t, "px"), Y: anyValue().Draw(t, "py")}
				if rapid.Bool().Draw(t, "interval") {
					p.Low, p.High = new(anyValue().Draw(t, "low")), new(anyValue().Draw(t, "high"))
				}
				s.Points = append(s.Points, p)
			}
			c.Series = append(c.Series, s)
		}
		for range rapid.IntRange(0, 4).Draw(t, "references") {
			c.References = append(c.References, chart.Reference{Vertical: rapid.Bool().Draw(t, "vertical"), At: anyValue().Draw(t, "at"), Label: anyName().Draw(t, "reference")})
		}
		if rapid.Bool().Draw(t, "range") {
			c.Ranges = append(c.Ranges, chart.Range{From: anyValue().Draw(t, "from"), To: anyValue().Draw(t, "to"), Label: anyName().Draw(t, "range label")})
		}
		if wrong := check(parse(t, c.SVG())); wrong != "" {
			t.Fatalf("%s\n%s", wrong, c.SVG())
		}
		if first, second := c.SVG(), c.SVG(); first != second {
			t.Fatalf("two drawings of one chart differ")
		}
	})
}

func TestRowsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := chart.Rows{Title: "t", Width: rapid.SampledFrom([]float64{0, 358}).Draw(t, "width"), Value: anyAxis().Draw(t, "axis"), Parts: rapid.SliceOfN(anyName(), 0, 6).Draw(t, "parts")}
		for i := range rapid.IntRange(0, 9).Draw(t, "rows") {
			row := chart.Row{Name: anyName().Draw(t, "name"), Color: i, Text: anyName().Draw(t, "text")}
			for range rapid.IntRange(0, 5).Draw(t, "points") {
				row.Points = append(row.Points, chart.Mark{At: anyValue().Draw(t, "point")})
			}
			for range r.Parts {
				row.Parts = append(row.Parts, chart.Mark{At: anyValue().Draw(t, "part")})
			}
			if rapid.Bool().Draw(t, "middle") {
				low, high := anyValue().Draw(t, "low"), anyValue().Draw(t, "high")
				row.Middle, row.Bound = &chart.Mark{At: anyValue().Draw(t, "m"), Low: &low, High: &high}, &chart.Mark{At: anyValue().Draw(t, "b")}
			}
			r.Rows = append(r.Rows, row)
		}
		for range rapid.IntRange(0, 3).Draw(t, "references") {
			r.References = append(r.References, chart.Reference{At: anyValue().Draw(t, "at"), Label: anyName().Draw(t, "reference")})
		}
		if wrong := check(parse(t, r.SVG())); wrong != "" {
			t.Fatalf("%s\n%s", wrong, r.SVG())
		}
	})
}
