package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"charm.land/lipgloss/v2"

	"floodgate/results"
)

// TextOptions of [Report.Text].
type TextOptions struct {
	// Width in columns; 0: 100. Narrower than 60 is not tried.
	Width int
	// Color styles the text with escape sequences. False: plain text.
	Color bool
}

// color of the outcome, in the terminal's own.
func (s Status) color() string {
	switch s {
	case OK:
		return "2"
	case Warning:
		return "3"
	case Failed:
		return "1"
	}
	return "8"
}

const gap = "  "

// Text writes the report as a table for a person.
func (r Report) Text(w io.Writer, o TextOptions) error {
	if o.Width == 0 {
		o.Width = 100
	}
	p := printer{width: max(o.Width, 60), color: o.Color}
	m := r.Machine
	p.line(p.style(strings.Join([]string{m.CPU, plural(m.Cores, "core", "cores"), m.OS + "/" + m.Arch + " " + m.Kernel, m.Go}, ", "), "", true))
	for _, c := range r.Checks {
		p.names = max(p.names, lipgloss.Width(c.Name))
		p.states = max(p.states, lipgloss.Width(string(c.Status)))
	}
	for _, c := range r.Checks {
		p.check(c)
	}
	p.line("")
	p.conclusion(r)
	_, err := w.Write(p.out.Bytes())
	return err
}

// JSON writes the report with the keys can_run, environments, machine and checks.
func (r Report) JSON(w io.Writer) error {
	environments := r.Environments
	if environments == nil {
		environments = []string{}
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(struct {
		CanRun       bool                `json:"can_run"`
		Environments []string            `json:"environments"`
		Machine      results.Fingerprint `json:"machine"`
		Checks       []Check             `json:"checks"`
	}{r.CanRun(), environments, r.Machine, r.Checks})
}

// printer gathers the text.
type printer struct {
	out                  bytes.Buffer
	width, states, names int
	color                bool
}

func (p *printer) style(text, color string, bold bool) string {
	if !p.color {
		return text
	}
	s := lipgloss.NewStyle().Bold(bold)
	if color != "" {
		s = s.Foreground(lipgloss.Color(color))
	}
	return s.Render(text)
}

func (p *printer) line(text string) { p.out.WriteString(strings.TrimRight(text, " ") + "\n") }

// check writes what was found, and below it what to do: words wrapped, and
// lines to be pasted as they are.
func (p *printer) check(c Check) {
	head := p.style(pad(string(c.Status), p.states), c.Status.color(), false) + gap + pad(c.Name, p.names) + gap
	indent := strings.Repeat(" ", lipgloss.Width(head))
	for _, l := range p.wrap(c.Found, len(indent)) {
		p.line(head + l)
		head = indent
	}
	if c.Do == "" {
		return
	}
	words, commands, _ := strings.Cut(c.Do, "\n")
	arrow := "→ "
	for _, l := range p.wrap(words, len(indent)+2) {
		p.line(indent + p.style(arrow, c.Status.color(), false) + l)
		arrow = "  "
	}
	if commands != "" {
		for l := range strings.SplitSeq(commands, "\n") {
			p.line(indent + "    " + p.style(l, "", true))
		}
	}
}

func (p *printer) wrap(text string, indent int) []string {
	var lines []string
	for l := range strings.Lines(lipgloss.Wrap(text, p.width-indent, "")) {
		lines = append(lines, strings.TrimSpace(l))
	}
	return lines
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-lipgloss.Width(text), 0))
}

// conclusion is the last line: whether and where a run can start.
func (p *printer) conclusion(r Report) {
	if r.CanRun() {
		text := "in " + strings.Join(r.Environments, " and ")
		if len(r.Environments) == 1 {
			text += " (containers: see docker above)"
		}
		p.line(p.style("a run can start", OK.color(), true) + " " + text)
		return
	}
	var bad []string
	for _, c := range r.Checks {
		if c.Status == Failed {
			bad = append(bad, c.Name)
		}
	}
	p.line(fmt.Sprintf("%s: %s", p.style("no run can start", Failed.color(), true), strings.Join(bad, ", ")))
}
