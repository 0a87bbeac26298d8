package chart

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// fontSize is the size of all text, in pixels of the drawing.
const fontSize = 12.5

// canvas collects SVG. All numbers are formatted by num, and all texts by escape.
type canvas struct {
	out strings.Builder
	// linked marks a drawing with links, which a screen reader must not take for one image.
	linked bool
}

// open begins the drawing.
func (c *canvas) open(width, height float64, title, text string) {
	role := "img"
	if c.linked {
		role = "group"
	}
	fmt.Fprintf(&c.out, `<svg class="chart" viewBox="0 0 %s %s" width="%[1]s" height="%[2]s" role="%s" xmlns="http://www.w3.org/2000/svg">`, num(width), num(height), role)
	fmt.Fprintf(&c.out, "<title>%s</title><desc>%s</desc>\n", escape(title), escape(text))
}

func (c *canvas) close() template.HTML {
	c.out.WriteString("</svg>")
	return template.HTML(c.out.String()) // built of numbers, classes of our own, and escaped text
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&c.out, `<path class="%s" d="M%s %sL%s %s"/>`+"\n", class, num(x1), num(y1), num(x2), num(y2))
}

// rect draws a rectangle with a tooltip; an empty text means none.
func (c *canvas) rect(class string, x, y, width, height float64, title string) {
	fmt.Fprintf(&c.out, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"`, class, num(x), num(y), num(max(width, 0)), num(max(height, 0)))
	c.titled("rect", title)
}

func (c *canvas) path(class, d, title string) {
	fmt.Fprintf(&c.out, `<path class="%s" d="%s"`, class, d)
	c.titled("path", title)
}

// link draws a path that leads to an address.
func (c *canvas) link(address, class, d, title string) {
	fmt.Fprintf(&c.out, `<a href="%s">`, escape(address))
	c.path(class, d, title)
	c.out.WriteString("</a>\n")
}

func (c *canvas) titled(element, title string) {
	if title == "" {
		c.out.WriteString("/>\n")
		return
	}
	fmt.Fprintf(&c.out, "><title>%s</title></%s>\n", escape(title), element)
}

// text draws text anchored at its start, middle or end; y is its baseline.
func (c *canvas) text(class, anchor string, x, y float64, text string) {
	if text == "" {
		return
	}
	a := ""
	if anchor != "start" {
		a = ` text-anchor="` + anchor + `"`
	}
	fmt.Fprintf(&c.out, `<text class="%s" x="%s" y="%s"%s>%s</text>`+"\n", class, num(x), num(y), a, escape(text))
}

// num formats a coordinate with one decimal, and values that are not finite, which
// no caller should pass, as 0.
func num(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	text := strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
	if text == "-0" {
		return "0"
	}
	return text
}

// escape returns text without meaning in SVG, and without characters that reorder
// the text around it.
func escape(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u00ad', r == unicode.ReplacementChar:
			return '\ufffd'
		}
		return r
	}, text)
	return template.HTMLEscapeString(text)
}

// width estimates the width of text in pixels from above, by that of DejaVu Sans,
// which is wider than most fonts.
func width(text string) float64 {
	sum := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune("iljtfrI.,:;|!'()[]/ ·", r):
			sum += 0.41
		case strings.ContainsRune("mwMW@%—…≥≤→", r):
			sum += 0.98
		case r >= 0x1100:
			sum += 1.3
		case unicode.IsUpper(r):
			sum += 0.74
		default:
			sum += 0.635
		}
	}
	return sum * fontSize
}

// shortened returns text of at most the width limit, with … in place of the rest.
func shortened(text string, limit float64) string {
	if width(text) <= limit {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && width(string(runes)+"…") > limit {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimSpace(string(runes)) + "…"
}

// color returns the CSS class of a color.
func color(n int) string {
	if n < 0 {
		return "cn"
	}
	return "c" + strconv.Itoa(n%Colors)
}

// The radii of markers, in pixels.
const (
	markerRadius = 4.0
	fineRadius   = 2.5
)

// marker returns the marker of a series at a point; each color has its own shape.
func marker(n int, x, y, r float64) string {
	d := func(points ...float64) string {
		var b strings.Builder
		for i := 0; i < len(points); i += 2 {
			op := "L"
			if i == 0 {
				op = "M"
			}
			b.WriteString(op + num(x+points[i]) + " " + num(y+points[i+1]))
		}
		return b.String() + "Z"
	}
	switch max(n, 0) % 4 {
	case 1:
		return d(-r, -r, r, -r, r, r, -r, r)
	case 2:
		return d(0, -r*1.25, r*1.15, r, -r*1.15, r)
	case 3:
		return d(0, -r*1.4, r*1.4, 0, 0, r*1.4, -r*1.4, 0)
	}
	return fmt.Sprintf("M%s %sa%[3]s %[3]s 0 1 0 %[4]s 0a%[3]s %[3]s 0 1 0-%[4]s 0Z", num(x-r), num(y), num(r), num(2*r))
}
