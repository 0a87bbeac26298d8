package report

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// Judged is a run with its verdict, and what may be pointed at.
type Judged struct {
	Run     *results.Run
	Verdict *gate.Verdict
	// File is the scenario's, with slashes, relative to the root of the
	// repository; empty: not known.
	File string
	// Lines in File.
	Lines scenarios.Lines
}

// IDs of checks that are about the run.
const (
	idUnmeasured = "trial-not-measured"
	idNotRun     = "trials-not-run"
	idUnjudged   = "nothing-claimed"
	idUncompared = "nothing-compared"
)

// Judgement of the run: its claims and thresholds in the scenario's order, then
// what is about the run. A run whose exit code is not 0 has a check that says why.
func (j Judged) Judgement() Judgement {
	v := j.Verdict
	p := &printer{run: j.Run, v: v}
	g := Judgement{
		Name: v.Scenario, Title: titleOf(v), ID: v.Run, Started: j.Run.Header.Started, Version: v.Machine.Revision,
		Headline: headline(v), Decision: v.Decision, Notes: slices.Concat(p.notes(), p.noiseNotes()), Command: command(j.Run), Record: j.Run.Path, File: j.File,
		Properties: [][2]string{
			{"run", v.Run}, {"scenario_hash", v.Hash}, {"seed", strconv.FormatUint(v.Seed, 10)}, {"quick", strconv.FormatBool(v.Quick)},
			{"environment", v.Environment.Kind}, {"database", v.Environment.Database}, {"upstream", v.Environment.Upstream},
			{"trials", fmt.Sprintf("%d of %d", v.Recorded, v.Planned)},
		},
	}
	for _, row := range p.facts().Rows {
		g.Facts = append(g.Facts, [2]string{row[0], row[1]})
	}
	g.Time = took(j.Run.Trials)
	for _, c := range v.Claims {
		check := p.claimCheck(c, j.Lines.Claims[c.ID])
		check.Time = took(judgedTrials(j.Run, c.Evidence))
		g.Checks = append(g.Checks, check)
	}
	seen := make(map[string]int)
	for _, t := range v.Thresholds {
		check := p.thresholdCheck(t, j.Lines.Thresholds[t.Rule])
		if seen[check.ID]++; seen[check.ID] > 1 { // one rule, at several selections of levels
			check.ID += fmt.Sprintf(" (%d)", seen[check.ID])
		}
		check.Time = took(judgedTrials(j.Run, t.Evidence))
		g.Checks = append(g.Checks, check)
	}
	g.Checks = append(g.Checks, ofRun(j.Run, v)...)
	g.Notes = slices.DeleteFunc(g.Notes, func(note string) bool { // a check says it
		return slices.ContainsFunc(g.Checks, func(c Check) bool { return c.Title == note })
	})
	return g
}

// ofRun are the checks that did not pass of the run as a whole.
func ofRun(run *results.Run, v *gate.Verdict) []Check {
	var all []Check
	for _, t := range notMeasured(run) {
		words := cmp.Or(t.Reason, "no reason is recorded")
		all = append(all, Check{
			ID: idUnmeasured, Decision: verdict.NotMeasured, Says: "Every trial can be measured.",
			Title: trialName(t) + " could not be measured", Text: words, All: words,
		})
	}
	if n := v.Planned - v.Recorded; n > 0 {
		words := "The run is not finished; unless it is running still, floodgate run --resume " + v.Run + " goes on with it."
		if v.EndedBy != "" {
			words = fmt.Sprintf("Stopped early: threshold %q can no longer be met.", v.EndedBy)
		}
		all = append(all, Check{
			ID: idNotRun, Decision: verdict.Inconclusive, Says: "Every planned trial is run.",
			Title: fmt.Sprintf("%d of %d trials were not run", n, v.Planned), Text: words, All: words,
		})
	}
	if len(v.Claims)+len(v.Thresholds) == 0 {
		words := "The scenario claims nothing, so nothing was judged."
		all = append(all, Check{ID: idUnjudged, Decision: verdict.NotJudged, Says: "A scenario claims something.", Title: "nothing was judged", Text: words, All: words})
	}
	return all
}

// notMeasured are the trials of outcome failed, in the order of the plan.
func notMeasured(run *results.Run) []results.Trial {
	var trials []results.Trial
	for _, t := range run.Trials {
		if t.Outcome == results.OutcomeFailed {
			trials = append(trials, t)
		}
	}
	slices.SortStableFunc(trials, func(a, b results.Trial) int { return cmp.Compare(a.Index, b.Index) })
	return trials
}

func trialName(t results.Trial) string {
	return fmt.Sprintf("trial %d (%s at %s, block %d)", t.Index, t.Variant, t.LevelName, t.Block)
}

func (p *printer) claimCheck(c gate.Claim, line int) Check {
	return Check{
		ID: c.ID, Decision: c.Verdict(), Says: c.Says, Title: claimTitle(c), Text: p.claimText(c), All: p.allEvidence(c), Line: line,
		Properties: map[string]string{"decision": c.Decision.String(), "expected": c.Expected.String(), "run": p.v.Run},
	}
}

// claimTitle is "faster: refuted, expected proved".
func claimTitle(c gate.Claim) string { return c.ID + ": " + decided(c) }

// decided is "refuted, expected proved", or "proved, as expected".
func decided(c gate.Claim) string {
	if c.AsExpected {
		return c.Decision.String() + ", as expected"
	}
	return c.Decision.String() + ", expected " + c.Expected.String()
}

// claimText is the author's words, then the points that decide, a line each.
func (p *printer) claimText(c gate.Claim) string {
	lines := append([]string{"“" + c.Says + "”"}, c.Notes...)
	for _, e := range c.Evidence {
		if e.Decision == c.Decision {
			lines = append(lines, p.evidenceLine(e))
		}
	}
	return strings.Join(lines, "\n")
}

// allEvidence of a claim, a line each.
func (p *printer) allEvidence(c gate.Claim) string {
	lines := slices.Clone(c.Notes)
	for _, e := range condense(c.Evidence) {
		lines = append(lines, p.evidenceLine(e))
	}
	return strings.Join(lines, "\n")
}

// evidenceLine is "pool, items=20: 88.8 % [88.4, 89.1] ≥ 85.0 %, n=7, proved".
func (p *printer) evidenceLine(e gate.Evidence) string {
	parts := []string{fmt.Sprintf("%s, %s: %s, n=%s, %s", e.Variant, p.levelOf(e), statement(e), text.Count(e.N), e.Decision)}
	return strings.Join(append(parts, evidenceRemarks(e)...), "; ")
}

// thresholdCheck of a budget, with the limit beside every value.
func (p *printer) thresholdCheck(t gate.Threshold, line int) Check {
	rule := strings.Join(strings.Fields(t.Rule), " ")
	check := Check{
		ID: rule, Decision: t.Verdict(), Says: ruleOf(t.Threshold), Title: rule + ": " + t.Decision.String(), Line: line,
		Properties: map[string]string{"decision": t.Decision.String(), "expected": verdict.Met.String(), "run": p.v.Run},
	}
	if check.Decision == verdict.Warned {
		check.Title += " (only warns)"
	}
	deciding, all := slices.Clone(t.Notes), slices.Clone(t.Notes)
	for _, e := range t.Evidence {
		parts := []string{fmt.Sprintf("%s: %s, n=%s, %s", p.levelOf(e), besideLimit(t, e), text.Count(e.N), e.Decision)}
		words := strings.Join(append(parts, evidenceRemarks(e)...), "; ")
		if all = append(all, words); e.Decision == t.Decision {
			deciding = append(deciding, words)
		}
	}
	check.Text, check.All = strings.Join(deciding, "\n"), strings.Join(all, "\n")
	return check
}

// headline is "failed: 1 of 4 claims as expected".
func headline(v *gate.Verdict) string {
	return string(v.Decision) + ": " + judgedIn(v)
}

// command prints the run again.
func command(run *results.Run) string {
	if run.Path == "" {
		return "floodgate report " + run.Header.ID
	}
	return "floodgate report " + shellWord(filepath.ToSlash(filepath.Dir(run.Path)))
}
