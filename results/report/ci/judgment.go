// Package ci renders verdicts for CI servers and pull requests: as Markdown, JUnit
// XML, SARIF and GitHub annotations. See the example of [Annotations].
//
//	j := ci.Judged{Run: run, Verdict: outcome}.Judgment()
//	os.Stdout.Write(ci.JUnit(j))
//
// Every verdict becomes a [Judgment] of [Check] values, and every format is a
// function of that.
package ci

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/report/content"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// Check is one judged subject: a claim, a threshold, a comparison, or the
// requirement that all trials were run and measured.
type Check struct {
	// ID is the same in every run, so that a server can recognize old results.
	ID       string
	Decision verdict.Decision
	// Statement is the requirement in words; it may be empty.
	Statement string
	// Title is one line with the decision: "faster: refuted, expected proved".
	Title string
	// Text holds the deciding evidence, one line per value with its limit; All holds
	// all evidence.
	Text, All string
	// Time is the measuring time of the subject; see [JUnit].
	Time time.Duration
	// Line is the line in the scenario's file, from 1; 0 means unknown.
	Line int
	// Properties holds additional values by name.
	Properties map[string]string
}

// Judgment is a verdict in a form for all formats of CI servers and pull requests.
type Judgment struct {
	// Name is the name of the subject, such as the scenario; Title is its title.
	Name, Title string
	// ID is the ID of the run or comparison; Started is its start, and the zero time
	// means unknown.
	ID      string
	Started time.Time
	// Version is the version of the program that judged.
	Version string
	// Headline is "failed: 1 of 4 claims as expected".
	Headline string
	Decision verdict.Decision
	Checks   []Check
	// Time is the measuring time of the whole, in which each trial counts once; see
	// [JUnit].
	Time time.Duration
	// Notes holds caveats, and Facts names and values about the environment.
	Notes []string
	Facts [][2]string
	// Properties holds values about the whole.
	Properties [][2]string
	// Command reproduces the report; Record is its file, and empty means none.
	Command, Record string
	// File is the scenario's, with slashes, relative to the root of the
	// repository; empty means unknown.
	File string
}

// factLines returns the facts, one line each.
func (j Judgment) factLines() []string {
	lines := make([]string, len(j.Facts))
	for i, f := range j.Facts {
		lines[i] = fmt.Sprintf("%s: %s", f[0], f[1])
	}
	return lines
}

// clean replaces characters that could move a cursor, break a line or change the
// direction of writing by spaces.
func clean(words string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(words, "\uFFFD"))
}

// clip cleans text and shortens it to n runes, ending with "…".
func clip(words string, n int) string {
	runes := []rune(clean(words))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n-1]) + "…"
}

// cleanLines cleans every line and keeps the line breaks.
func cleanLines(words string) string {
	lines := strings.Split(words, "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n")
}

// Judged is a run with its verdict, and positions to refer to.
type Judged struct {
	Run     *results.Run
	Verdict *claims.Outcome
	// File is the scenario's, with slashes, relative to the root of the
	// repository; empty means unknown.
	File string
	// Lines holds line numbers in File.
	Lines scenarios.Lines
}

// The IDs of checks on the run.
const (
	idUnmeasured = "trial-not-measured"
	idNotRun     = "trials-not-run"
	idUnjudged   = "nothing-claimed"
	idUncompared = "nothing-compared"
)

// Judgment returns the verdict on the run: its claims and thresholds in the
// scenario's order, then checks on the run. If the exit code is not 0, some check
// explains it.
func (j Judged) Judgment() Judgment {
	v := j.Verdict
	p := &content.Run{Record: j.Run, Outcome: v}
	g := Judgment{
		Name: v.Scenario, Title: content.Title(v), ID: v.Run, Started: j.Run.Header.Started, Version: v.Machine.Revision,
		Headline: headline(v), Decision: v.Decision, Notes: slices.Concat(p.Notes(), p.NoiseNotes()), Command: command(j.Run), Record: j.Run.Path, File: j.File,
		Properties: [][2]string{
			{"run", v.Run}, {"scenario_hash", v.Hash}, {"seed", strconv.FormatUint(v.Seed, 10)}, {"quick", strconv.FormatBool(v.Quick)},
			{"environment", v.Environment.Kind}, {"database", v.Environment.Database}, {"upstream", v.Environment.Upstream},
			{"trials", fmt.Sprintf("%d of %d", v.Recorded, v.Planned)},
		},
	}
	for _, row := range p.Facts().Rows {
		g.Facts = append(g.Facts, [2]string{row[0], row[1]})
	}
	g.Time = measuringTime(j.Run.Trials)
	for _, c := range v.Claims {
		check := claimCheck(p, c, j.Lines.Claims[c.ID])
		check.Time = measuringTime(judgedTrials(j.Run, c.Evidence))
		g.Checks = append(g.Checks, check)
	}
	seen := make(map[string]int)
	for _, t := range v.Thresholds {
		check := thresholdCheck(p, t, j.Lines.Thresholds[t.Rule])
		if seen[check.ID]++; seen[check.ID] > 1 { // one rule, at several selections of levels
			check.ID += fmt.Sprintf(" (%d)", seen[check.ID])
		}
		check.Time = measuringTime(judgedTrials(j.Run, t.Evidence))
		g.Checks = append(g.Checks, check)
	}
	g.Checks = append(g.Checks, ofRun(j.Run, v)...)
	g.Notes = slices.DeleteFunc(g.Notes, func(note string) bool { // a check says it
		return slices.ContainsFunc(g.Checks, func(c Check) bool { return c.Title == note })
	})
	return g
}

// ofRun returns the failed checks on the run as a whole.
func ofRun(run *results.Run, v *claims.Outcome) []Check {
	var all []Check
	for _, t := range notMeasured(run) {
		words := cmp.Or(t.Reason, "no reason was recorded")
		all = append(all, Check{
			ID: idUnmeasured, Decision: verdict.NotMeasured, Statement: "Every trial is measured.",
			Title: trialName(t) + " could not be measured", Text: words, All: words,
		})
	}
	if n := v.Planned - v.Recorded; n > 0 {
		words := "The run is not finished. Unless it is still running, resume it: floodgate run --resume " + v.Run
		if v.EndedBy != "" {
			words = fmt.Sprintf("Stopped early: threshold %q can no longer be met.", v.EndedBy)
		}
		all = append(all, Check{
			ID: idNotRun, Decision: verdict.Inconclusive, Statement: "Every planned trial is run.",
			Title: fmt.Sprintf("%d of %d trials were not run", n, v.Planned), Text: words, All: words,
		})
	}
	if len(v.Claims)+len(v.Thresholds) == 0 {
		words := "The scenario has no claims or thresholds, so nothing was judged."
		all = append(all, Check{ID: idUnjudged, Decision: verdict.NotJudged, Statement: "The scenario has claims or thresholds.", Title: "nothing was judged", Text: words, All: words})
	}
	return all
}

// notMeasured returns the trials of outcome failed, in the order of the schedule.
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

func claimCheck(p *content.Run, c claims.Claim, line int) Check {
	return Check{
		ID: c.ID, Decision: c.Verdict(), Statement: c.Statement, Title: claimTitle(c), Text: claimText(p, c), All: allEvidence(p, c), Line: line,
		Properties: map[string]string{"decision": c.Decision.String(), "expected": c.Expected.String(), "run": p.Outcome.Run},
	}
}

// claimTitle returns a title: "faster: refuted, expected proved".
func claimTitle(c claims.Claim) string { return c.ID + ": " + decided(c) }

// decided describes a decision: "refuted, expected proved", or "proved, as
// expected".
func decided(c claims.Claim) string {
	if c.AsExpected {
		return c.Decision.String() + ", as expected"
	}
	return c.Decision.String() + ", expected " + c.Expected.String()
}

// claimText returns the statement of the claim, and the deciding points, one line
// each.
func claimText(p *content.Run, c claims.Claim) string {
	lines := append([]string{"“" + c.Statement + "”"}, c.Notes...)
	for _, e := range c.Evidence {
		if e.Decision == c.Decision {
			lines = append(lines, evidenceLine(p, e))
		}
	}
	return strings.Join(lines, "\n")
}

// allEvidence returns all evidence of a claim, one line each.
func allEvidence(p *content.Run, c claims.Claim) string {
	lines := slices.Clone(c.Notes)
	for _, e := range content.Condense(c.Evidence) {
		lines = append(lines, evidenceLine(p, e))
	}
	return strings.Join(lines, "\n")
}

// evidenceLine describes a point: "pool, items=20: 88.8 % [88.4, 89.1] ≥ 85.0 %,
// n=7, proved".
func evidenceLine(p *content.Run, e claims.Evidence) string {
	parts := []string{fmt.Sprintf("%s, %s: %s, n=%s, %s", e.Variant, p.LevelOf(e), content.Statement(e), text.Count(e.N), e.Decision)}
	return strings.Join(append(parts, content.EvidenceRemarks(e)...), "; ")
}

// thresholdCheck returns the check of a budget, with the limit beside every value.
func thresholdCheck(p *content.Run, t claims.Threshold, line int) Check {
	rule := strings.Join(strings.Fields(t.Rule), " ")
	check := Check{
		ID: rule, Decision: t.Verdict(), Statement: content.Rule(t.Threshold), Title: rule + ": " + t.Decision.String(), Line: line,
		Properties: map[string]string{"decision": t.Decision.String(), "expected": verdict.Met.String(), "run": p.Outcome.Run},
	}
	if check.Decision == verdict.Warned {
		check.Title += " (warning only)"
	}
	deciding, all := slices.Clone(t.Notes), slices.Clone(t.Notes)
	for _, e := range t.Evidence {
		parts := []string{fmt.Sprintf("%s: %s, n=%s, %s", p.LevelOf(e), content.ThresholdStatement(t, e), text.Count(e.N), e.Decision)}
		words := strings.Join(append(parts, content.EvidenceRemarks(e)...), "; ")
		if all = append(all, words); e.Decision == t.Decision {
			deciding = append(deciding, words)
		}
	}
	check.Text, check.All = strings.Join(deciding, "\n"), strings.Join(all, "\n")
	return check
}

// headline returns a summary: "failed: 1 of 4 claims as expected".
func headline(v *claims.Outcome) string {
	return string(v.Decision) + ": " + content.Tally(v)
}

// command returns the command that reproduces the report of the run.
func command(run *results.Run) string {
	if run.Path == "" {
		return "floodgate report " + run.Header.ID
	}
	return "floodgate report " + content.ShellWord(filepath.ToSlash(filepath.Dir(run.Path)))
}

// measuringTime adds up the times of trials.
func measuringTime(trials []results.Trial) (sum time.Duration) {
	for i := range trials {
		sum += trials[i].Span()
	}
	return sum
}

// trialsOf returns the trials of a variant at a level.
func trialsOf(run *results.Run, variant, level string) []results.Trial {
	return filterTrials(run, func(t results.Trial) bool { return t.Variant == variant && t.LevelName == level })
}

// judgedTrials returns the trials that evidence is about, each once: those of the
// variant and of its reference, at the level or at all levels with the common
// factors.
func judgedTrials(run *results.Run, evidence []claims.Evidence) []results.Trial {
	return filterTrials(run, func(t results.Trial) bool {
		return slices.ContainsFunc(evidence, func(e claims.Evidence) bool {
			if t.Variant != e.Variant && t.Variant != e.Reference {
				return false
			}
			return e.Level == t.LevelName || e.FromLevel != "" && hasFactors(t.LevelName, e.Level)
		})
	})
}

func filterTrials(run *results.Run, is func(results.Trial) bool) []results.Trial {
	return slices.DeleteFunc(slices.Clone(run.Trials), func(t results.Trial) bool { return !is(t) })
}

// hasFactors reports whether a level has all factors of a level name.
func hasFactors(level, common string) bool {
	words := strings.Fields(level)
	for _, factor := range strings.Fields(common) {
		if !slices.Contains(words, factor) {
			return false
		}
	}
	return true
}
