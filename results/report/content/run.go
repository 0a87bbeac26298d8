package content

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/noise"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Run is a run with its verdict.
type Run struct {
	text.Printer
	Record  *results.Run
	Outcome *claims.Outcome
}

// Title returns a title: "report: A report over phone numbers (quick)".
func Title(v *claims.Outcome) string {
	name := v.Scenario
	if v.Title != "" {
		name += ": " + v.Title
	}
	if v.Quick {
		name += " (quick)"
	}
	if v.Shard != nil {
		name += ", " + v.Shard.String()
	}
	return name
}

// Notes returns the chance of a false failure and the caveats.
func (p *Run) Notes() []string {
	return slices.Concat(FalseFailure(p.Outcome.Chance), p.Record.Warnings, p.Outcome.Notes)
}

// FalseFailure describes how many claims and thresholds were judged, and the probability
// that one of them fails by chance; nil means that there is nothing to describe.
func FalseFailure(c *claims.Chance) []string {
	if c == nil {
		return nil
	}
	words := text.Plural(c.Judged, "claim or threshold was", "claims and thresholds were") + " judged"
	if c.Intervals == 0 {
		return []string{words + " by recorded values, without a test, so the probability of a false failure is unknown"}
	}
	words += fmt.Sprintf(", with %s at %s: if all hold, chance makes one fail with a probability of at most %s (union bound over %s at %s)",
		text.Plural(c.Intervals, "interval", "intervals"), TrimmedPercent(c.Level), TrimmedPercent(c.Bound), text.Plural(c.Intervals, "interval", "intervals"), TrimmedPercent((1-c.Level)/2))
	if c.Untested > 0 {
		words += fmt.Sprintf("; %d of them compare recorded values without a test", c.Untested)
	}
	return []string{words}
}

// Facts returns the path of the record and facts about the environment: names, which
// are empty if they repeat the previous one, and texts.
func (p *Run) Facts() *text.Grid {
	m, env := p.Outcome.Machine, p.Outcome.Environment
	record := p.Record.Path
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
	g.Add("run", fmt.Sprintf("%s, %s, seed %d", p.Outcome.Run, p.Trials(), p.Outcome.Seed))
	g.Add("record", record)
	for i, m := range p.Outcome.Merged {
		name := ""
		if i == 0 {
			name = "shards"
		}
		g.Add(name, fmt.Sprintf("%d: %s on %s", m.Shard, m.ID, MachineLine(m.Fingerprint)))
	}
	kind := env.Kind
	if env.Engine != "" {
		kind += " (" + env.Engine + ")"
	}
	if env.Database == "" && env.Upstream == "" { // an attack
		g.Add("environment", "none: the service was loaded as it is")
	} else {
		g.Add("environment", fmt.Sprintf("%s: %s, %s", kind, env.Database, env.Upstream))
	}
	if env.Chosen != "" {
		g.Add("", "selected because: "+env.Chosen)
	}
	for _, c := range append(env.Containers[:len(env.Containers):len(env.Containers)], sutContainer(p.Record)...) {
		g.Add("", containerLine(c))
	}
	if link := databaseLink(p.Record); link != "" {
		g.Add("", "database link, unless a level overrides it: "+link)
	}
	if len(env.Targets) > 0 {
		g.Add("", "allowed remote targets: "+strings.Join(env.Targets, ", "))
	}
	g.Add("machine", fmt.Sprintf("%s, nofile %s", MachineLine(m), text.Count(int(m.NoFile))))
	g.Add("software", fmt.Sprintf("%s/%s %s, %s, revision %s", m.OS, m.Arch, m.Kernel, m.Go, revision))
	if p.Record.Header.SUT != nil {
		g.Add("sut", sutLine(*p.Record.Header.SUT))
	}
	if line := profilesLine(p.Record); line != "" {
		g.Add("profiles", line)
	}
	if line := tracesLine(p.Record); line != "" {
		g.Add("traces", line)
	}
	return g
}

// databaseLink describes the simulated network to the database; empty means none.
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

// sutContainer returns the container of the SUT processes, if any.
func sutContainer(run *results.Run) []results.Container {
	for _, t := range run.Trials {
		if t.Container != nil {
			return []results.Container{*t.Container}
		}
	}
	return nil
}

// containerLine describes a container: "database: image mongo:8, 2 CPUs, 1.0 GiB".
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
		words += ", " + text.Mebibytes(c.Memory)
	}
	return words
}

// Trials writes the number of recorded trials, and of how many planned ones if some are missing.
func (p *Run) Trials() string {
	if p.Outcome.Recorded == p.Outcome.Planned {
		return text.Plural(p.Outcome.Recorded, "trial", "trials")
	}
	return fmt.Sprintf("%s of %s trials", text.Count(p.Outcome.Recorded), text.Count(p.Outcome.Planned))
}

// Tally summarizes claims and thresholds: "3 of 4 claims as expected, 1
// inconclusive; 2 of 2 thresholds met".
func Tally(v *claims.Outcome) string {
	var parts []string
	if len(v.Claims) > 0 {
		parts = append(parts, claimsAsExpected(v))
	}
	if parts = append(parts, budgets(v)...); parts == nil {
		return "no claims"
	}
	return strings.Join(parts, "; ")
}

func claimsAsExpected(v *claims.Outcome) string {
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

// budgets describes how many thresholds were met; empty if there are none.
func budgets(v *claims.Outcome) []string {
	if len(v.Thresholds) == 0 {
		return nil
	}
	met, warned, open := 0, 0, 0
	for _, t := range v.Thresholds {
		switch {
		case t.Decision == verdict.Met:
			met++
		case t.Decision == verdict.Undecided:
			open++
		case t.OnlyWarns():
			warned++
		}
	}
	words := fmt.Sprintf("%d of %s met", met, text.Plural(len(v.Thresholds), "threshold", "thresholds"))
	if open > 0 {
		words += fmt.Sprintf(", %d inconclusive", open)
	}
	if warned > 0 {
		words += fmt.Sprintf(", %d violated with a warning only", warned)
	}
	return []string{words}
}

// NoiseNotes returns the findings, one line each.
func (p *Run) NoiseNotes() []string {
	var all []string
	for _, f := range p.Outcome.Noise.Findings {
		grade, help := "noise", ""
		if f.Severity == noise.TooNoisy {
			grade, help = "too noisy", "; advice: "+f.Advice
		}
		words := grade + ", " + f.Kind + ": " + f.Message
		if f.Level != "" {
			words += ", at " + cmp.Or(p.Outcome.Labels[f.Level], f.Level)
		}
		all = append(all, words+help)
	}
	return all
}

// Disturbances returns the findings about a plan's machine, one line each.
func Disturbances(found []noise.Finding) []string {
	var all []string
	for _, f := range found {
		all = append(all, f.Kind+": "+f.Message+"; advice: "+f.Advice)
	}
	return all
}

// MachineLine describes the processors and the memory of a machine: "AMD EPYC,
// 2 cores, GOMAXPROCS 2, CPU quota 1.5 cores, 8.0 GiB".
func MachineLine(m results.Fingerprint) string {
	line := fmt.Sprintf("%s, %s%s, %s", m.CPU, text.Plural(m.Cores, "core", "cores"), ProcessorsPart(m.Processors()), text.Gibibytes(m.Memory))
	if m.Pinning != "" {
		line += ", pinned (" + m.Pinning + ")"
	}
	return line
}

// ProcessorsPart turns the text of [results.Processors] into a part of a list.
func ProcessorsPart(words string) string {
	if words == "" {
		return ""
	}
	return ", " + words
}

// sutLine describes the revision of a program under test that is not Floodgate's
// own.
func sutLine(s results.SUT) string {
	words := "revision " + ShortRevision(s.Revision)
	if s.Modified {
		words += " with changes"
	}
	if s.Repository != "" {
		words += " of repository " + s.Repository
	}
	return words
}
