package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"floodgate/results/against"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
)

// AgainstJudgement is a verdict on two programs that ran in turn as checks: one
// a figure that decides, one a count.
func AgainstJudgement(v *against.Verdict) Judgement {
	headline, words := againstSummary(v)
	if words != "" {
		headline += ": " + words
	}
	title := "B: " + sideOf(v.B) + ", against A: " + sideOf(v.A)
	name := v.Scenario
	if name == "" {
		name = "commands"
	}
	j := Judgement{
		Name: name, Title: title, ID: v.ID, Started: v.Started, Version: v.Machine.Revision,
		Headline: headline, Decision: v.Decision, Command: "floodgate report " + shellWord(filepath.ToSlash(v.Records)), Record: v.Records, Notes: slices.Concat(Foreseen(v), v.Notes, v.Remarks),
		Properties: [][2]string{{"gate", v.ID}, {"margin", trimmedPercent(v.Design.Margin)}, {"seed", fmt.Sprint(v.Seed)}},
	}
	for _, row := range againstFacts(v).Rows {
		j.Facts = append(j.Facts, [2]string{row[0], row[1]})
	}
	j.Time = againstTime(v)
	for _, c := range v.Cells {
		if c.Decides {
			j.Checks = append(j.Checks, lookCheck(v, c))
		}
	}
	for _, c := range v.Counts {
		id := c.What + " of " + c.Variant + " at " + c.Level
		words := fmt.Sprintf("A %s, B %s, limit A + %d", text.Count(c.A), text.Count(c.B), c.Allowed)
		if c.Why != "" {
			words += "; " + c.Why
		}
		j.Checks = append(j.Checks, Check{ID: id, Decision: c.Decision.Decision(), Says: id + " is no more than before", Title: id + ": " + c.Decision.String(), Text: words, All: words, Time: c.Time})
	}
	if words := unmeasured(v); words != "" {
		j.Checks = append(j.Checks, Check{ID: idUnmeasured, Decision: verdict.NotMeasured, Says: "Everything can be measured.", Title: "it could not be measured", Text: words, All: words})
	}
	return j
}

// againstTime is how long all that was compared took: the pairs that decide, or
// the trials that are counted, whichever are more.
func againstTime(v *against.Verdict) (sum time.Duration) {
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

func lookCheck(v *against.Verdict, c against.Cell) Check {
	words := fmt.Sprintf("A %s, B %s, B ÷ A %s, limit %.4g, after %s (look %s)",
		valueOf(c.Metric, c.A), valueOf(c.Metric, c.B), ratioOf(c.Ratio), 1+v.Design.Margin, text.Plural(c.Pairs, "pair", "pairs"), lookOf(c, v.Design))
	if c.Reason != "" {
		words += "; " + c.Reason
	}
	for _, m := range c.Missing {
		words += fmt.Sprintf("; without a pair: %s × %d", m.Why, m.Blocks)
	}
	return Check{
		ID: c.Name(), Decision: c.Decision.Decision(), Says: c.Name() + " is no worse than before", Title: c.Name() + ": " + c.Decision.String(),
		Text: words, All: words, Time: c.Time, Properties: map[string]string{"decision": c.Decision.String()},
	}
}
