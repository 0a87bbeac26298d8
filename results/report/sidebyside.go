package report

import (
	"fmt"
	"strings"

	"floodgate/results/compare"
	"floodgate/results/report/text"
	"floodgate/results/summary"
)

// local marks figures that say as much of the machine as of the program.
const local = "†"

// timeGrid has the times of both runs, a row a row of the comparison.
func timeGrid(c *compare.Comparison) *text.Grid {
	g := &text.Grid{Columns: []text.Column{
		{Title: "variant"},
		{Title: "n", Right: true, Drop: 1},
		{Title: marked(c, "makespan A"), Right: true},
		{Title: marked(c, "makespan B"), Right: true},
		{Title: marked(c, "B ÷ A [95 %]"), Right: true},
		{Title: "reduction", Right: true},
		{Title: marked(c, "effic."), Right: true, Drop: 2},
	}}
	for _, r := range c.Rows {
		g.Add(r.A.Variant, both(measured(r.A), measured(r.B)), partial(r.A, text.OrNone(r.A.Makespan, text.Duration)),
			partial(r.B, text.OrNone(r.B.Makespan, text.Duration)), ratioCell(r), both(reductionCell(r.A), reductionCell(r.B)),
			both(partial(r.A, text.OrNone(r.A.Efficiency, text.Percent)), partial(r.B, text.OrNone(r.B.Efficiency, text.Percent))))
	}
	return g
}

// costGrid has what the time was had for.
func costGrid(c *compare.Comparison) *text.Grid {
	g := &text.Grid{Columns: []text.Column{
		{Title: "variant"},
		{Title: marked(c, "item p50"), Right: true, Drop: 3},
		{Title: marked(c, "item p99"), Right: true, Drop: 1},
		{Title: "peak FDs", Right: true},
		{Title: marked(c, "CPU"), Right: true, Drop: 2},
		{Title: marked(c, "memory"), Right: true, Drop: 4},
		{Title: "errors", Right: true},
		{Title: "documents"},
	}}
	for _, r := range c.Rows {
		pair := func(format func(summary.Row) string) string { return both(format(r.A), format(r.B)) }
		g.Add(r.A.Variant,
			pair(func(r summary.Row) string { return text.OrNone(r.ItemP50, text.Duration) }),
			pair(func(r summary.Row) string { return text.OrNone(r.ItemP99, text.Duration) }),
			pair(func(r summary.Row) string { return text.OrNone(r.Peak, text.Count) }),
			pair(func(r summary.Row) string { return text.OrNone(r.CPU, text.Duration) }),
			pair(func(r summary.Row) string { return text.OrNone(r.PeakRSS, mebibytes) }),
			pair(func(r summary.Row) string { return text.Count(r.ErrorCount()) }),
			pair(documentsCell))
	}
	return g
}

func marked(c *compare.Comparison, title string) string {
	if c.Local {
		return title + " " + local
	}
	return title
}

// both is a cell of two runs; a unit that they share is written once.
func both(a, b string) string {
	if a == b {
		return a
	}
	if x, unit, ok := strings.Cut(a, " "); ok {
		if _, other, _ := strings.Cut(b, " "); other == unit && !strings.Contains(unit, " ") {
			a = x
		}
	}
	return a + " → " + b
}

// measured is how many trials are behind a row, of how many.
func measured(r summary.Row) string {
	if r.OK == r.Planned {
		return fmt.Sprint(r.OK)
	}
	return fmt.Sprintf("%d/%d", r.OK, r.Planned)
}

func ratioCell(r compare.Row) string {
	switch {
	case r.Makespan == nil && (r.A.Makespan == nil || r.B.Makespan == nil):
		return text.None
	case r.Makespan == nil:
		return "too few"
	}
	return fmt.Sprintf("%s [%s, %s]", text.Digits(r.Makespan.Estimate), text.Digits(r.Makespan.Low), text.Digits(r.Makespan.High))
}

func reductionCell(r summary.Row) string {
	if r.Reduction == nil {
		return text.None
	}
	return text.Percent(r.Reduction.Estimate)
}

func documentsCell(r summary.Row) string {
	switch {
	case r.Checked == 0:
		return text.None
	case r.Documents.Broken() > 0:
		return broken(r.Documents)
	case r.Documents.Unwritten > 0:
		return text.Count(r.Documents.Unwritten) + " unwritten"
	case r.Documents.Unchecked:
		return "there, unread"
	}
	return "ok"
}

// partial marks a figure of trials in which items failed.
func partial(r summary.Row, cell string) string {
	if r.Partial == 0 || cell == text.None {
		return cell
	}
	return cell + "*"
}

func partialRemark(r summary.Row) string {
	return fmt.Sprintf("* of less work: %s failed in %s", text.Plural(r.ItemsFailed, "item", "items"), text.Plural(r.Partial, "trial", "trials"))
}

// overrunRemark says that times of the row are not those of its variant.
func overrunRemark(r summary.Row) string {
	return fmt.Sprintf("%s in %s: not evidence for claims", r.Overrun, text.Plural(r.Overruns, "trial", "trials"))
}

func heldBackRemark(r summary.Row) string {
	return text.Plural(r.HeldBack, "request", "requests") + " held back: times measure external.rate"
}

func repeatedRemark(n int) string {
	return text.Plural(n, "request", "requests") + " sent again by the client"
}

// mebibytes writes n in MiB: "30.5 MiB".
func mebibytes(n int64) string { return text.Digits(float64(n)/(1<<20)) + " MiB" }
