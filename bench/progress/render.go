package progress

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/text"
)

// Layout of the block, in columns.
const (
	labelWidth = len("descriptors") + 2
	barWidth   = 24 // halved if the terminal is narrower than barRoom
	barRoom    = 70
)

// silence is the time without a tick, which should come ten times a second, after which
// it is reported.
const silence = time.Second

// nearLimit is the share of the limit from which descriptors are highlighted.
const nearLimit = 0.9

// Colors of the terminal's palette.
const (
	alarming = "1"
	calm     = "2"
	faint    = "8"
)

// Render returns the lines of the block: the bar and the trial, and for a service the
// progress of the trial. Their number is constant, and none is wider than width: fields
// that do not fit are omitted from the end of their line.
func Render(s State, service bool, width int, color bool) []string {
	p := painter{width: width, color: color}
	p.bar(s)
	if s.Trial == nil {
		p.row("trial")
	} else {
		which := s.Trial.Variant.Name + fmt.Sprintf(", block %d of %d", s.Trial.Block+1, s.Trial.Level.Scenario.Blocks)
		p.row("trial", words(which+prefixed(", ", shortLevel(s.Trial)))) // one field, which is cut rather than omitted
	}
	if !service {
		return p.lines
	}
	if s.Live == nil {
		for _, label := range []string{"load", "rate", "in flight", "response", "descriptors", "errors"} {
			p.row(label)
		}
		return p.lines
	}
	p.live(s.Live, s.Silent)
	return p.lines
}

func (p *painter) live(l *experiment.Live, silent time.Duration) {
	k := &l.Tick
	load := []field{words(elapsed(l))}
	switch over := k.At >= l.Duration && k.ReportsInFlight == 0; {
	case silent > silence && over:
		load = append(load, words("; checking the documents"))
	case silent > silence:
		load = append(load, field{"; no message from the SUT for " + text.InWords(silent), alarming})
	}
	load = append(load, words(fmt.Sprintf("; %d due, %d done", l.Due, l.OK)), words(fmt.Sprintf(", %d not", l.Ended-l.OK)))
	if k.Shed > 0 {
		load = append(load, words(fmt.Sprintf(", %d rejected", k.Shed)))
	}
	p.row("load", load...)
	p.row("rate", words(rate(l.DueRate)+" due, "+rate(l.DoneRate)+" done"), words(" in the last second"))
	hand := []field{words(text.Plural(k.ReportsInFlight, unit(l), unit(l)+"s"))}
	if unit(l) == "report" {
		hand = append(hand, words(", "+text.Plural(k.Outstanding, "item", "items")), words(fmt.Sprintf(": %d fetching, %d writing", k.Fetching, k.Writing)))
	}
	if k.SlotLimit > 0 {
		hand = append(hand, words(fmt.Sprintf("; %d of %d slots", k.SlotsInUse, k.SlotLimit)))
	}
	p.row("in flight", hand...)
	if l.P99 > 0 {
		p.row("response", words(fmt.Sprintf("p50 %s, p99 %s", text.Duration(l.P50), text.Duration(l.P99))), words(" of "+unit(l)+"s that ended in the last 1–2 s"))
	} else {
		p.row("response", field{"no " + unit(l) + " ended in the last 1–2 s", faint})
	}
	p.row("descriptors", descriptors(l)...)
	p.errors(failures(l))
}

// unit names what arrives at the service.
func unit(l *experiment.Live) string {
	if s := l.Trial.Level.Scenario; s != nil && s.Service != nil {
		return s.Service.Unit()
	}
	return "report"
}

func descriptors(l *experiment.Live) []field {
	share := field{text: fmt.Sprintf("%d of %d", l.Descriptors, l.NoFile)}
	if float64(l.Descriptors) >= nearLimit*float64(l.NoFile) {
		share.color = alarming
	}
	fields := []field{share}
	if kinds := l.Kinds; kinds != nil {
		fields = append(fields, words(kindsText(kinds)))
	}
	if unit(l) == "report" { // only the built-in service counts its goroutines
		fields = append(fields, words("; "+text.Plural(l.Tick.Goroutines, "goroutine", "goroutines")), words(fmt.Sprintf(", %d MiB", l.RSS>>20)))
	} else {
		fields = append(fields, words(fmt.Sprintf("; %d MiB", l.RSS>>20)))
	}
	return fields
}

func kindsText(k *results.Kinds) string {
	return fmt.Sprintf(": %d upstream, %d mongo, %d other", k.Upstream, k.Mongo, k.Others())
}

// errors adds a line with as many errors as fit and the number of omitted types.
func (p *painter) errors(all []string) {
	if len(all) == 0 {
		p.row("errors", field{"none", faint})
		return
	}
	for n := len(all); n > 0; n-- {
		line := strings.Join(all[:n], ", ")
		if n < len(all) {
			line += fmt.Sprintf(", and %d more", len(all)-n)
		}
		if n == 1 || labelWidth+ansi.StringWidth(line) <= p.width {
			p.row("errors", field{line, alarming})
			return
		}
	}
}

// field is a part of a line, with an optional color.
type field struct{ text, color string }

func words(s string) field { return field{text: s} }

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// painter formats lines of a width.
type painter struct {
	width int
	color bool
	lines []string
}

func (p *painter) paint(f field) string {
	if !p.color || f.color == "" {
		return f.text
	}
	return lipgloss.NewStyle().Foreground(lipgloss.Color(f.color)).Render(f.text)
}

// row adds a line of a label and as many fields as fit. It cuts the first field if
// necessary. A line without fields has only the label.
func (p *painter) row(label string, fields ...field) {
	if len(fields) == 0 {
		fields = []field{{"—", faint}}
	}
	p.line(field{fmt.Sprintf("%-*s", labelWidth, label), faint}, fields...)
}

func (p *painter) line(head field, fields ...field) {
	line, room := p.paint(head), p.width-ansi.StringWidth(head.text)
	for i, f := range fields {
		if i > 0 && ansi.StringWidth(f.text) > room {
			break
		}
		room -= ansi.StringWidth(f.text)
		line += p.paint(f)
	}
	p.lines = append(p.lines, ansi.Truncate(line, max(p.width, 0), "…"))
}

// bar adds the line with the progress of the run.
func (p *painter) bar(s State) {
	columns := barWidth
	if p.width < barRoom {
		columns /= 2
	}
	share := 0.0
	if s.Planned > 0 {
		share = float64(s.Done) / float64(s.Planned)
	}
	full := min(int(share*float64(columns)), columns)
	p.line(field{fmt.Sprintf("%3.0f %% ", 100*share), ""},
		field{strings.Repeat("█", full), calm}, field{strings.Repeat("░", columns-full), faint},
		words(fmt.Sprintf("  %d of %s done", s.Done, text.Plural(s.Planned, "trial", "trials"))), words(", "+text.InWords(s.Left)+" left"))
}
