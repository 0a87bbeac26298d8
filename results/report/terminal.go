package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
)

// Terminal writes what a person wants to know of a run: a table a level, the
// claims and thresholds with their evidence, where the record lies and what the machine was.
func Terminal(w io.Writer, run *results.Run, v *gate.Verdict, o text.Options) error {
	p := &printer{run: run, v: v, Printer: text.NewPrinter(o, 80)}
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
	return p.Flush(w, fmt.Sprintf("report of run %q", v.Run))
}

// printer gathers the text.
type printer struct {
	text.Printer
	run *results.Run
	v   *gate.Verdict
}

// Tones of text.
const (
	bad   = verdict.Bad
	good  = verdict.Good
	doubt = verdict.Doubt
	faint = verdict.Faint
)

// word paints what was decided.
func (p *printer) word(w verdict.Word) string { return p.Paint(w.String(), w.Tone()) }

// counted is "1 worse, 5 same".
func counted(c verdict.Counts) string {
	var parts []string
	for _, w := range c.Words() {
		parts = append(parts, text.Count(c[w])+" "+w.String())
	}
	return strings.Join(parts, ", ")
}

func (p *printer) title() { p.Line(p.Bold(titleOf(p.v))) }

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
	p.Line("")
	for _, l := range p.facts().Lines() {
		p.hanging(l)
	}
	for _, n := range p.notes() {
		p.hanging("note         " + n)
	}
	p.Line("")
	p.conclusion()
}

// notes are what to know before believing the rest.
func (p *printer) notes() []string { return slices.Concat(p.run.Warnings, p.v.Notes) }

// facts are where the record lies and what the run ran on: a name, which is
// empty where it is the one above, and a text.
func (p *printer) facts() *text.Grid {
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
	g := &text.Grid{Columns: make([]text.Column, 2)}
	g.Add("run", fmt.Sprintf("%s, %s, seed %d", p.v.Run, p.trials(), p.v.Seed))
	g.Add("record", record)
	kind := env.Kind
	if env.Engine != "" {
		kind += " (" + env.Engine + ")"
	}
	g.Add("environment", fmt.Sprintf("%s: %s, %s", kind, env.Database, env.Upstream))
	if env.Chosen != "" {
		g.Add("", "taken because: "+env.Chosen)
	}
	for _, c := range append(env.Containers[:len(env.Containers):len(env.Containers)], sutContainer(p.run)...) {
		g.Add("", containerLine(c))
	}
	if link := databaseLink(p.run); link != "" {
		g.Add("", "way to the database, unless a level says otherwise: "+link)
	}
	if len(env.Targets) > 0 {
		g.Add("", "allowed beyond this machine: "+strings.Join(env.Targets, ", "))
	}
	g.Add("machine", fmt.Sprintf("%s, nofile %s", machineLine(m), text.Count(int(m.NoFile))))
	g.Add("software", fmt.Sprintf("%s/%s %s, %s, revision %s", m.OS, m.Arch, m.Kernel, m.Go, revision))
	if p.run.Header.SUT != nil {
		g.Add("sut", sutLine(*p.run.Header.SUT))
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
		parts = append(parts, "latency "+text.Duration(d))
	}
	if d := time.Duration(s.Database.Jitter); d > 0 {
		parts = append(parts, "jitter "+text.Duration(d))
	}
	if b := s.Database.Bandwidth; b > 0 {
		parts = append(parts, "bandwidth "+b.String()+"/s")
	}
	if r := s.Database.Resets; r > 0 {
		parts = append(parts, "resets "+text.Percent(r))
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
	words := c.Name + ": image " + c.Image
	switch {
	case c.CPUs == 1:
		words += ", 1 CPU"
	case c.CPUs > 0:
		words += fmt.Sprintf(", %g CPUs", c.CPUs)
	}
	switch {
	case c.Memory >= 1<<30:
		words += ", " + text.Gibibytes(c.Memory)
	case c.Memory > 0:
		words += ", " + mebibytes(c.Memory)
	}
	return words
}

// indent of the second column of what stands beside names.
const indent = len("environment") + len(text.Gap)

// hanging writes a line, what is too long of it below its second column.
func (p *printer) hanging(words string) {
	first, rest := words[:indent], words[indent:]
	for _, l := range p.Wrap(rest, indent) {
		p.Line(p.Paint(first, faint) + l)
		first = strings.Repeat(" ", indent)
	}
}

func (p *printer) trials() string {
	if p.v.Recorded == p.v.Planned {
		return text.Plural(p.v.Recorded, "trial", "trials")
	}
	return fmt.Sprintf("%s of %s trials", text.Count(p.v.Recorded), text.Count(p.v.Planned))
}

func (p *printer) conclusion() {
	p.Wrapped("", fmt.Sprintf("%s: %s (exit code %d)", p.concluded(p.v.Decision), judgedIn(p.v), p.v.Exit), "")
}

// concluded is the decision on the whole, as the last line has it.
func (p *printer) concluded(d verdict.Decision) string { return p.Bold(p.Paint(string(d), d.Tone())) }

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
	words := fmt.Sprintf("%d of %s as expected", expected, text.Plural(len(v.Claims), "claim", "claims"))
	if open > 0 {
		words += fmt.Sprintf(", %d inconclusive", open)
	}
	return words
}
