package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/verdict"
)

// Options of [Terminal].
type Options struct {
	// Width in columns; 0: 100. Narrower than 80 is not tried.
	Width int
	// Color styles the text with escape sequences. False: plain text.
	Color bool
}

// Terminal writes what a person wants to know of a run: a table a level, the
// claims and thresholds with their evidence, where the record lies and what the machine was.
func Terminal(w io.Writer, run *results.Run, v *gate.Verdict, o Options) error {
	if o.Width == 0 {
		o.Width = 100
	}
	p := &printer{run: run, v: v, width: max(o.Width, 80), color: o.Color}
	p.title()
	if p.v.Service != nil {
		p.services()
	} else {
		p.tables()
	}
	p.claims()
	p.thresholds()
	p.noise()
	p.footer()
	if _, err := w.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("write report of run %q: %w", v.Run, err)
	}
	return nil
}

// printer gathers the text.
type printer struct {
	out   bytes.Buffer
	run   *results.Run
	v     *gate.Verdict
	width int
	color bool
}

// Tones of text.
const (
	bad   = verdict.Bad
	good  = verdict.Good
	doubt = verdict.Doubt
	faint = verdict.Faint
)

// colors are the terminal's own.
var colors = map[verdict.Tone]string{bad: "1", good: "2", doubt: "3", faint: "8"}

func (p *printer) paint(text string, tone verdict.Tone) string {
	if !p.color || text == "" {
		return text
	}
	return lipgloss.NewStyle().Foreground(lipgloss.Color(colors[tone])).Render(text)
}

// word paints what was decided.
func (p *printer) word(w verdict.Word) string { return p.paint(w.String(), w.Tone()) }

// counted is "1 worse, 5 same".
func counted(c verdict.Counts) string {
	var parts []string
	for _, w := range c.Words() {
		parts = append(parts, count(c[w])+" "+w.String())
	}
	return strings.Join(parts, ", ")
}

func (p *printer) bold(text string) string {
	if !p.color {
		return text
	}
	return lipgloss.NewStyle().Bold(true).Render(text)
}

func (p *printer) line(text string) { p.out.WriteString(strings.TrimRight(text, " ") + "\n") }

// wrapped writes text in lines no wider than the printer, each after indent.
func (p *printer) wrapped(indent, text string, tone verdict.Tone) {
	for l := range strings.Lines(lipgloss.Wrap(text, p.width-lipgloss.Width(indent), "")) {
		p.line(indent + p.paint(strings.TrimSpace(l), tone))
	}
}

func (p *printer) title() { p.line(p.bold(titleOf(p.v))) }

// titleOf is "report: A report over phone numbers (quick)".
func titleOf(v *gate.Verdict) string {
	name := v.Scenario
	if v.Title != "" {
		name += ": " + v.Title
	}
	if v.Quick {
		name += " (quick)"
	}
	return name
}

func (p *printer) footer() {
	p.line("")
	for _, l := range p.facts().lines() {
		p.hanging(l)
	}
	for _, n := range p.notes() {
		p.hanging("note         " + n)
	}
	p.line("")
	p.conclusion()
}

// notes are what to know before believing the rest.
func (p *printer) notes() []string { return slices.Concat(p.run.Warnings, p.v.Notes) }

// facts are where the record lies and what the run ran on: a name, which is
// empty where it is the one above, and a text.
func (p *printer) facts() *grid {
	m, env := p.v.Machine, p.v.Environment
	record := p.run.Path
	if record == "" {
		record = "not stored"
	}
	revision := m.Revision
	if len(revision) > 12 {
		revision = revision[:12]
	}
	if m.Modified {
		revision += " with changes"
	}
	g := &grid{columns: make([]column, 2)}
	g.add("run", fmt.Sprintf("%s, %s, seed %d", p.v.Run, p.trials(), p.v.Seed))
	g.add("record", record)
	kind := env.Kind
	if env.Engine != "" {
		kind += " (" + env.Engine + ")"
	}
	g.add("environment", fmt.Sprintf("%s: %s, %s", kind, env.Database, env.Upstream))
	if env.Chosen != "" {
		g.add("", "taken because: "+env.Chosen)
	}
	for _, c := range append(env.Containers[:len(env.Containers):len(env.Containers)], sutContainer(p.run)...) {
		g.add("", containerLine(c))
	}
	if link := databaseLink(p.run); link != "" {
		g.add("", "way to the database, unless a level says otherwise: "+link)
	}
	if len(env.Targets) > 0 {
		g.add("", "allowed beyond this machine: "+strings.Join(env.Targets, ", "))
	}
	g.add("machine", fmt.Sprintf("%s, nofile %s", machineLine(m), count(int(m.NoFile))))
	g.add("software", fmt.Sprintf("%s/%s %s, %s, revision %s", m.OS, m.Arch, m.Kernel, m.Go, revision))
	if p.run.Header.SUT != nil {
		g.add("sut", sutLine(*p.run.Header.SUT))
	}
	return g
}

// databaseLink is how the scenario has the way to the database behave; empty:
// as it is.
func databaseLink(run *results.Run) string {
	s, err := run.Scenario()
	if err != nil || !s.Database.Linked() {
		return ""
	}
	var parts []string
	if d := time.Duration(s.Database.Latency); d > 0 {
		parts = append(parts, "latency "+duration(d))
	}
	if d := time.Duration(s.Database.Jitter); d > 0 {
		parts = append(parts, "jitter "+duration(d))
	}
	if b := s.Database.Bandwidth; b > 0 {
		parts = append(parts, "bandwidth "+b.String()+"/s")
	}
	if r := s.Database.Resets; r > 0 {
		parts = append(parts, "resets "+percent(r))
	}
	return strings.Join(parts, ", ")
}

// sutContainer is the one that systems under test ran in, if they did.
func sutContainer(run *results.Run) []results.Container {
	for _, t := range run.Trials {
		if t.Container != nil {
			return []results.Container{*t.Container}
		}
	}
	return nil
}

// containerLine is "database: image mongo:8, 2 CPUs, 1.0 GiB".
func containerLine(c results.Container) string {
	text := c.Name + ": image " + c.Image
	switch {
	case c.CPUs == 1:
		text += ", 1 CPU"
	case c.CPUs > 0:
		text += fmt.Sprintf(", %g CPUs", c.CPUs)
	}
	switch {
	case c.Memory >= 1<<30:
		text += ", " + gibibytes(c.Memory)
	case c.Memory > 0:
		text += ", " + mebibytes(c.Memory)
	}
	return text
}

// indent of the second column of what stands beside names.
const indent = len("environment") + len(gap)

// hanging writes a line, what is too long of it below its second column.
func (p *printer) hanging(text string) {
	first, rest := text[:indent], text[indent:]
	for l := range strings.Lines(lipgloss.Wrap(rest, p.width-indent, "")) {
		p.line(p.paint(first, faint) + strings.TrimSpace(l))
		first = strings.Repeat(" ", indent)
	}
}

func (p *printer) trials() string {
	if p.v.Recorded == p.v.Planned {
		return plural(p.v.Recorded, "trial", "trials")
	}
	return fmt.Sprintf("%s of %s trials", count(p.v.Recorded), count(p.v.Planned))
}

func (p *printer) conclusion() {
	p.wrapped("", fmt.Sprintf("%s: %s (exit code %d)", p.concluded(p.v.Decision), judgedIn(p.v), p.v.Exit), "")
}

// concluded is the decision on the whole, as the last line has it.
func (p *printer) concluded(d verdict.Decision) string { return p.bold(p.paint(string(d), d.Tone())) }

// judgedIn is "3 of 4 claims as expected, 1 inconclusive; 2 of 2 thresholds met".
func judgedIn(v *gate.Verdict) string {
	var parts []string
	if len(v.Claims) > 0 {
		parts = append(parts, claimsAsExpected(v))
	}
	if parts = append(parts, budgets(v)...); parts == nil {
		return "there is no claim"
	}
	return strings.Join(parts, "; ")
}

func claimsAsExpected(v *gate.Verdict) string {
	expected, open := 0, 0
	for _, c := range v.Claims {
		if c.AsExpected {
			expected++
		} else if c.Decision == verdict.Undecided {
			open++
		}
	}
	text := fmt.Sprintf("%d of %s as expected", expected, plural(len(v.Claims), "claim", "claims"))
	if open > 0 {
		text += fmt.Sprintf(", %d inconclusive", open)
	}
	return text
}
