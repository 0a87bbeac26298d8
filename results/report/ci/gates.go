package ci

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/perf/benchunit"

	"floodgate/results/baseline"
	"floodgate/results/gobench"
	"floodgate/results/pairs"
	"floodgate/results/report/content"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// BaselineJudgment returns the run's own judgment with a check for each value that
// was compared with the baseline. The command again reproduces the report.
func BaselineJudgment(j Judged, v *baseline.Outcome, again string) Judgment {
	g := j.Judgment()
	c := v.Comparison
	words := content.BaselineSummary(v)
	g.Title, g.Headline, g.Decision, g.Command = g.Name+" compared with "+c.File, string(v.Decision)+": "+words, v.Decision, again
	for _, r := range c.Rows {
		check := rowCheck(r)
		check.Time = measuringTime(trialsOf(j.Run, r.Variant, r.Level))
		g.Checks = append(g.Checks, check)
	}
	if c.Decision == verdict.NotMeasured {
		g.Checks = append(g.Checks, Check{ID: idUncompared, Decision: verdict.NotMeasured, Statement: "At least one value can be compared.", Title: "nothing was compared", Text: words, All: words})
	}
	if len(c.Machines) > 0 {
		g.Notes = append(g.Notes, "the conditions differ: "+strings.Join(c.Machines, "; "))
	}
	g.Notes = append(g.Notes, c.Differences...)
	if len(c.Added) > 0 {
		g.Notes = append(g.Notes, "not in the baseline and not compared: "+strings.Join(c.Added, ", "))
	}
	g.Notes = append(g.Notes, content.BaselineMovements(c)...)
	g.Notes = append(g.Notes, content.BaselineMethod(c), c.Caution)
	g.Facts = append(g.Facts, [2]string{"baseline", fmt.Sprintf("%s: run %s of %s, revision %s", c.File, c.Source, c.Recorded, content.ShortRevision(c.Revision))})
	return g
}

func rowCheck(r baseline.Row) Check {
	id := r.Metric + " of " + r.Where()
	if r.Type != "" {
		id = r.Metric + " (" + r.Type + ") of " + r.Where()
	}
	words := fmt.Sprintf("baseline %s, run %s, limit %s", content.BaselineValue(r.Baseline, r.Unit), content.BaselineValue(r.Run, r.Unit), content.BaselineLimit(r))
	if r.Effect != nil {
		words += "; cost " + content.BaselineCost(r)
	}
	if r.Why != "" {
		words += "; " + r.Why
	}
	for _, m := range r.Missing {
		words += fmt.Sprintf("; missing: %s × %d", m.Why, m.Blocks)
	}
	title := id + ": " + r.Decision.String()
	if r.Verdict() == verdict.Warned {
		title += " (warning only)"
	}
	return Check{ID: id, Decision: r.Verdict(), Statement: id + " is not worse than in the baseline", Title: title, Text: words, All: words,
		Properties: map[string]string{"decision": r.Decision.String()}}
}

// GoBenchJudgment returns a comparison of Go benchmarks as checks, one per
// benchmark and unit. The command again reproduces the report.
func GoBenchJudgment(v *gobench.Outcome, again string) Judgment {
	packages := content.SeveralPackages(v)
	words := content.GoBenchSummary(v)
	j := Judgment{
		Name: "go-bench", Title: "Go benchmarks, " + v.New + " compared with " + v.Old, ID: v.Old + "…" + v.New,
		Headline: string(v.Decision) + ": " + words, Decision: v.Decision, Command: again,
		Facts:      [][2]string{{"old", v.Old}, {"new", v.New}},
		Properties: [][2]string{{"alpha", fmt.Sprint(v.Alpha)}, {"margin", benchMargins(v)}},
	}
	if len(v.Mixed) > 0 {
		j.Notes = append(j.Notes, "mixed environments (--allow-mixed): "+strings.Join(v.Mixed, "; "))
	}
	times := map[[2]string]time.Duration{} // a benchmark's samples have several units
	for _, u := range v.Units {
		for _, r := range u.Rows {
			key := [2]string{r.Package, r.Benchmark}
			j.Time += max(0, r.Time-times[key])
			times[key] = max(times[key], r.Time)
			j.Checks = append(j.Checks, benchCheck(v, u, r, packages))
		}
	}
	for _, only := range []struct {
		of    []gobench.Only
		where string
	}{{v.Missing, "only in the old file"}, {v.Added, "only in the new file"}} {
		for _, o := range only.of {
			name := content.BenchmarkName(o.Package, o.Benchmark, packages) + " " + o.Unit
			j.Notes = append(j.Notes, name+": "+only.where+", not judged")
		}
	}
	differ := v.ProcessorsDiffer()
	if len(j.Checks) == 0 {
		words := strings.Join(append([]string{"The files have no benchmarks in common."}, differ...), "\n")
		j.Checks = []Check{{ID: idUncompared, Decision: verdict.NotMeasured, Statement: "At least one value can be compared.", Title: "nothing was compared", Text: words, All: words}}
	} else {
		j.Notes = append(j.Notes, differ...)
	}
	if len(v.Units) > 0 {
		j.Notes = append(j.Notes, content.GoBenchMethod(v))
	}
	j.Notes = append(j.Notes, v.Notes...)
	return j
}

// benchMargins returns the margin of all units, or that of each one.
func benchMargins(v *gobench.Outcome) string {
	if v.Margin != nil {
		return fmt.Sprint(*v.Margin)
	}
	var all []string
	for _, u := range v.Units {
		all = append(all, u.Unit+": "+content.GoBenchMargin(v, u))
	}
	return strings.Join(all, "; ")
}

func benchCheck(v *gobench.Outcome, u gobench.Unit, r gobench.Row, packages bool) Check {
	class := benchunit.ClassOf(u.Unit)
	name := content.BenchmarkName(r.Package, r.Benchmark, packages) + " " + u.Unit
	words := fmt.Sprintf("%s → %s, %s, limit %s", content.BenchmarkValue(r.Old.Median, class), content.BenchmarkValue(r.New.Median, class), content.BenchmarkDelta(r), content.SignedPercent(u.Margin))
	if r.Adjusted != nil {
		words += fmt.Sprintf(", p=%s after Holm's correction (alpha %g), n=%s", content.PValue(*r.Adjusted), v.Alpha, content.BenchmarkSamples(r))
	}
	if r.Why != "" {
		words += "; " + r.Why
	}
	return Check{
		ID: name, Decision: r.Decision.Decision(), Statement: name + " does not get worse", Title: name + ": " + r.Decision.String(),
		Text: words, All: words, Time: r.Time, Properties: map[string]string{"decision": r.Decision.String()},
	}
}

// PairsJudgment returns a verdict on two programs that ran alternately as checks,
// one per figure that decides and one per count.
func PairsJudgment(v *pairs.Outcome) Judgment {
	headline, words := content.PairsSummary(v)
	if words != "" {
		headline += ": " + words
	}
	title := "B: " + content.PairsSide(v.B) + ", compared with A: " + content.PairsSide(v.A)
	name := v.Scenario
	if name == "" {
		name = "commands"
	}
	j := Judgment{
		Name: name, Title: title, ID: v.ID, Started: v.Started, Version: v.Machine.Revision,
		Headline: headline, Decision: v.Decision, Command: "floodgate report " + content.ShellWord(filepath.ToSlash(v.Records)), Record: v.Records, Notes: slices.Concat(content.Movements(v), content.EstimatedPower(v), v.Notes, v.Remarks),
		Properties: [][2]string{{"gate", v.ID}, {"margin", content.TrimmedPercent(v.Design.Margin)}, {"seed", fmt.Sprint(v.Seed)}},
	}
	for _, row := range content.PairsFacts(v).Rows {
		j.Facts = append(j.Facts, [2]string{row[0], row[1]})
	}
	j.Time = pairsTime(v)
	for _, c := range v.Cells {
		if c.Decides {
			j.Checks = append(j.Checks, analysisCheck(v, c))
		}
	}
	for _, c := range v.Counts {
		id := c.What + " of " + c.Variant + " at " + c.Level
		words := fmt.Sprintf("A %s, B %s, limit %s", text.Count(c.A), text.Count(c.B), content.PairsAllowed(c))
		if c.Why != "" {
			words += "; " + c.Why
		}
		j.Checks = append(j.Checks, Check{ID: id, Decision: c.Decision.Decision(), Statement: id + " does not increase", Title: id + ": " + c.Decision.String(), Text: words, All: words, Time: c.Time})
	}
	if words := content.PairsUnmeasured(v); words != "" {
		j.Checks = append(j.Checks, Check{ID: idUnmeasured, Decision: verdict.NotMeasured, Statement: "Every trial is measured.", Title: "the comparison could not be measured", Text: words, All: words})
	}
	return j
}

// pairsTime returns the measuring time of the comparison: that of the pairs that
// decide or of the counted trials, whichever is longer.
func pairsTime(v *pairs.Outcome) (sum time.Duration) {
	times := map[[2]string]time.Duration{}
	for _, c := range v.Cells {
		if c.Decides {
			times[[2]string{c.Variant, c.Level}] = c.Time
		}
	}
	for _, c := range v.Counts {
		key := [2]string{c.Variant, c.Level}
		times[key] = max(times[key], c.Time)
	}
	for _, t := range times {
		sum += t
	}
	return sum
}

func analysisCheck(v *pairs.Outcome, c pairs.Cell) Check {
	words := fmt.Sprintf("A %s, B %s, B ÷ A %s, limit %.4g, after %s (interim analysis %s)",
		content.PairsValue(c.Metric, c.A), content.PairsValue(c.Metric, c.B), content.PairsRatio(c.Ratio), 1+v.Design.Margin, text.Plural(c.Pairs, "pair", "pairs"), content.PairsInterim(c, v.PerTest()))
	if c.Reason != "" {
		words += "; " + c.Reason
	}
	for _, m := range c.Missing {
		words += fmt.Sprintf("; no pair: %s × %d", m.Why, m.Blocks)
	}
	return Check{
		ID: c.Name(), Decision: c.Decision.Decision(), Statement: c.Name() + " does not get worse", Title: c.Name() + ": " + c.Decision.String(),
		Text: words, All: words, Time: c.Time, Properties: map[string]string{"decision": c.Decision.String()},
	}
}
