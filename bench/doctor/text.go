package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"charm.land/lipgloss/v2"
	"floodgate/results"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// tone returns the tone of the status.
func (s Status) tone() verdict.Tone {
	switch s {
	case OK:
		return verdict.Good
	case Warning:
		return verdict.Doubt
	case Failed:
		return verdict.Bad
	}
	return verdict.Faint
}

// Text writes the report as a table for a person.
func (r Report) Text(w io.Writer, o text.Options) error {
	p := printer{Printer: text.NewPrinter(o, 60)}
	m := r.Machine
	p.Line(p.Bold(strings.Join([]string{m.CPU, text.Plural(m.Cores, "core", "cores"), m.OS + "/" + m.Arch + " " + m.Kernel, m.Go}, ", ")))
	for _, c := range r.Checks {
		p.names = max(p.names, lipgloss.Width(c.Name))
		p.states = max(p.states, lipgloss.Width(string(c.Status)))
	}
	for _, c := range r.Checks {
		p.check(c)
	}
	p.Line("")
	p.conclusion(r)
	return p.Flush(w, "report of the machine")
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

// printer collects the text.
type printer struct {
	text.Printer
	states, names int
}

// check writes the observation and, below it, the remedy: wrapped text, and unwrapped lines
// that can be pasted.
func (p *printer) check(c Check) {
	head := p.Paint(pad(string(c.Status), p.states), c.Status.tone()) + text.Gap + pad(c.Name, p.names) + text.Gap
	indent := strings.Repeat(" ", lipgloss.Width(head))
	for _, l := range p.Wrap(c.Found, len(indent)) {
		p.Line(head + l)
		head = indent
	}
	if c.Advice == "" {
		return
	}
	words, commands, _ := strings.Cut(c.Advice, "\n")
	arrow := "→ "
	for _, l := range p.Wrap(words, len(indent)+2) {
		p.Line(indent + p.Paint(arrow, c.Status.tone()) + l)
		arrow = "  "
	}
	if commands != "" {
		for l := range strings.SplitSeq(commands, "\n") {
			p.Line(indent + "    " + p.Bold(l))
		}
	}
}

func pad(cell string, width int) string {
	return cell + strings.Repeat(" ", max(width-lipgloss.Width(cell), 0))
}

// conclusion writes the last line: whether and in which environments a run can start.
func (p *printer) conclusion(r Report) {
	if r.CanRun() {
		where := "in " + strings.Join(r.Environments, " and ")
		if len(r.Environments) == 1 {
			where += " (containers: see docker above)"
		}
		p.Line(p.Bold(p.Paint("a run can start", OK.tone())) + " " + where)
		return
	}
	var bad []string
	for _, c := range r.Checks {
		if c.Status == Failed {
			bad = append(bad, c.Name)
		}
	}
	p.Line(fmt.Sprintf("%s: %s", p.Bold(p.Paint("no run can start", Failed.tone())), strings.Join(bad, ", ")))
}

// quote quotes a path as one word of a shell.
func quote(path string) string {
	if path != "" && !strings.ContainsFunc(path, func(r rune) bool {
		return !strings.ContainsRune("/._-+:@%,", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
