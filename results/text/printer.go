package text

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"charm.land/lipgloss/v2"

	"floodgate/results/verdict"
)

// Options configures a [Printer].
type Options struct {
	// Width is the number of columns; 0 means 100.
	Width int
	// Color enables escape sequences for colors and styles.
	Color bool
}

// Printer collects the lines of a report. The zero value is plain and has no width.
type Printer struct {
	Out   bytes.Buffer
	Width int
	Color bool
}

// NewPrinter returns a printer whose width is at least least.
func NewPrinter(o Options, least int) Printer {
	if o.Width == 0 {
		o.Width = 100
	}
	return Printer{Width: max(o.Width, least), Color: o.Color}
}

// colors maps tones to the terminal's own colors.
var colors = map[verdict.Tone]string{verdict.Bad: "1", verdict.Good: "2", verdict.Doubt: "3", verdict.Faint: "8"}

// Paint returns text in the color of a tone.
func (p *Printer) Paint(text string, tone verdict.Tone) string {
	if !p.Color || text == "" || tone == verdict.Plain {
		return text
	}
	return lipgloss.NewStyle().Foreground(lipgloss.Color(colors[tone])).Render(text)
}

// Bold returns text in bold.
func (p *Printer) Bold(text string) string {
	if !p.Color {
		return text
	}
	return lipgloss.NewStyle().Bold(true).Render(text)
}

// Line writes one line.
func (p *Printer) Line(text string) { p.Out.WriteString(strings.TrimRight(text, " ") + "\n") }

// Wrap breaks text into lines that leave room for the indent.
func (p *Printer) Wrap(text string, indent int) []string {
	const space = "\u00a0" // at which lipgloss does not break
	var lines []string
	for l := range strings.Lines(lipgloss.Wrap(strings.ReplaceAll(text, " %", space+"%"), p.Width-indent, "")) {
		lines = append(lines, strings.ReplaceAll(strings.TrimSpace(l), space, " "))
	}
	return lines
}

// Wrapped writes text in lines no wider than the printer, each after indent.
func (p *Printer) Wrapped(indent, text string, tone verdict.Tone) {
	for _, l := range p.Wrap(text, lipgloss.Width(indent)) {
		p.Line(indent + p.Paint(l, tone))
	}
}

// factIndent is the column of a fact's text.
const factIndent = len("environment") + len(Gap)

// Fact writes a name and, in a second column, a text.
func (p *Printer) Fact(name, format string, args ...any) {
	first := fmt.Sprintf("%-*s", factIndent, name)
	for _, l := range p.Wrap(fmt.Sprintf(format, args...), factIndent) {
		p.Line(p.Paint(first, verdict.Faint) + l)
		first = strings.Repeat(" ", factIndent)
	}
}

// Table writes the titles and the rows of a grid.
func (p *Printer) Table(g *Grid) {
	widths := g.Widths()
	p.Titles(g, widths)
	for _, row := range g.Rows {
		p.Line(g.Line(row, widths))
	}
}

// Titles writes the titles of a grid.
func (p *Printer) Titles(g *Grid, widths []int) {
	p.Line(p.Paint(g.Line(g.Titles(), widths), verdict.Faint))
}

// NotShown lists the columns that did not fit, if any.
func (p *Printer) NotShown(dropped []string) {
	if len(dropped) > 0 {
		p.Wrapped("", "columns not shown at this width: "+strings.Join(dropped, ", "), verdict.Faint)
	}
}

// Flush writes the collected lines; errors mention what.
func (p *Printer) Flush(w io.Writer, what string) error {
	if _, err := w.Write(p.Out.Bytes()); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}
