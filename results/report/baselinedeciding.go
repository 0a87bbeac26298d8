package report

import (
	"fmt"

	"floodgate/results/baseline"
)

// mostDeciding rows are named again at the end.
const mostDeciding = 10

// deciding names the rows that the exit code comes from: what is worse or missing,
// else what is inconclusive, and what would help.
func (p *printer) deciding(rows []baseline.Row) {
	of := func(decision string) (some []baseline.Row) {
		for _, r := range rows {
			if r.Decision == decision && (!r.Advisory || r.Decision == baseline.Missing) {
				some = append(some, r)
			}
		}
		return some
	}
	decide, color := append(of(baseline.Worse), of(baseline.Missing)...), bad
	if len(decide) == 0 {
		decide, color = of(baseline.Inconclusive), doubt
	}
	for _, r := range decide[:min(len(decide), mostDeciding)] {
		text := fmt.Sprintf("%s: %s, %s", r.Decision, r.Where(), r.Metric)
		if r.Type != "" {
			text += " " + r.Type
		}
		if r.Why != "" {
			text += ": " + r.Why
		}
		p.wrapped("", text, color)
	}
	if more := len(decide) - mostDeciding; more > 0 {
		p.wrapped("", fmt.Sprintf("and %s more", count(more)), color)
	}
	if len(decide) > 0 && color == doubt {
		p.wrapped("", "what would help: a run with more blocks, on a quieter machine, or a wider --share-margin", faint)
	}
}
