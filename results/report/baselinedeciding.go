package report

import (
	"fmt"

	"floodgate/results/baseline"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
)

// mostDeciding rows are named again at the end.
const mostDeciding = 10

// deciding names the rows that the exit code comes from: what is worse or missing,
// else what is inconclusive, and what would help.
func (p *printer) deciding(rows []baseline.Row) {
	of := func(decision verdict.Decision) (some []baseline.Row) {
		for _, r := range rows {
			if r.Verdict() == decision {
				some = append(some, r)
			}
		}
		return some
	}
	decide, tone := of(verdict.Failed), bad
	if len(decide) == 0 {
		decide, tone = of(verdict.Inconclusive), doubt
	}
	for _, r := range decide[:min(len(decide), mostDeciding)] {
		words := fmt.Sprintf("%s: %s, %s", r.Decision, r.Where(), r.Metric)
		if r.Type != "" {
			words += " " + r.Type
		}
		if r.Why != "" {
			words += ": " + r.Why
		}
		p.Wrapped("", words, tone)
	}
	if more := len(decide) - mostDeciding; more > 0 {
		p.Wrapped("", fmt.Sprintf("and %s more", text.Count(more)), tone)
	}
	if len(decide) > 0 && tone == doubt {
		p.Wrapped("", "what would help: a run with more blocks, on a quieter machine, or a wider --share-margin", faint)
	}
}
