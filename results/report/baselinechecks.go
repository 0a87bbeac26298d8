package report

import (
	"fmt"
	"strings"

	"floodgate/results/baseline"
	"floodgate/results/verdict"
)

// BaselineJudgement is the run's own judgement with a check for each value that
// was compared with the baseline. Again is the command that prints it again.
func BaselineJudgement(j Judged, v *baseline.Verdict, again string) Judgement {
	g := j.Judgement()
	c := v.Comparison
	words := baselineSummary(v)
	g.Title, g.Headline, g.Decision, g.Command = g.Name+" against "+c.File, string(v.Decision)+": "+words, v.Decision, again
	for _, r := range c.Rows {
		check := rowCheck(r)
		check.Time = took(trialsOf(j.Run, r.Variant, r.Level))
		g.Checks = append(g.Checks, check)
	}
	if c.Decision == verdict.NotMeasured {
		g.Checks = append(g.Checks, Check{ID: idUncompared, Decision: verdict.NotMeasured, Says: "Something can be compared.", Title: "nothing was compared", Text: words, All: words})
	}
	if len(c.Machines) > 0 {
		g.Notes = append(g.Notes, "the machines differ: "+strings.Join(c.Machines, "; "))
	}
	g.Notes = append(g.Notes, c.Differences...)
	if len(c.Added) > 0 {
		g.Notes = append(g.Notes, "not in the baseline, so not compared: "+strings.Join(c.Added, ", "))
	}
	g.Notes = append(g.Notes, howGated(c), c.Caution)
	g.Facts = append(g.Facts, [2]string{"baseline", fmt.Sprintf("%s: run %s of %s, revision %s", c.File, c.Source, c.Recorded, short(c.Revision))})
	return g
}

func rowCheck(r baseline.Row) Check {
	id := r.Metric + " of " + r.Where()
	if r.Type != "" {
		id = r.Metric + " (" + r.Type + ") of " + r.Where()
	}
	words := fmt.Sprintf("baseline %s, run %s, limit %s", valueCell(r.Baseline, r.Unit), valueCell(r.Run, r.Unit), limitCell(r))
	if r.Effect != nil {
		words += "; cost " + effectCell(r)
	}
	if r.Why != "" {
		words += "; " + r.Why
	}
	for _, m := range r.Missing {
		words += fmt.Sprintf("; missing: %s × %d", m.Why, m.Blocks)
	}
	title := id + ": " + r.Decision.String()
	if r.Verdict() == verdict.Warned {
		title += " (only warns)"
	}
	return Check{ID: id, Decision: r.Verdict(), Says: id + " is no worse than in the baseline", Title: title, Text: words, All: words,
		Properties: map[string]string{"decision": r.Decision.String()}}
}
