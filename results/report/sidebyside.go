package report

import (
	"fmt"
	"strings"

	"floodgate/results/compare"
	"floodgate/results/summary"
)

// local marks figures that say as much of the machine as of the program.
const local = "†"

// timeGrid has the times of both runs, a row a row of the comparison.
func timeGrid(c *compare.Comparison) *grid {
	g := &grid{columns: []column{
		{title: "variant"},
		{title: "n", right: true, drop: 1},
		{title: marked(c, "makespan A"), right: true},
		{title: marked(c, "makespan B"), right: true},
		{title: marked(c, "B ÷ A [95 %]"), right: true},
		{title: "reduction", right: true},
		{title: marked(c, "effic."), right: true, drop: 2},
	}}
	for _, r := range c.Rows {
		g.add(r.A.Variant, both(measured(r.A), measured(r.B)), partial(r.A, orNone(r.A.Makespan, duration)),
			partial(r.B, orNone(r.B.Makespan, duration)), ratioCell(r), both(reductionCell(r.A), reductionCell(r.B)),
			both(partial(r.A, orNone(r.A.Efficiency, percent)), partial(r.B, orNone(r.B.Efficiency, percent))))
	}
	return g
}

// costGrid has what the time was had for.
func costGrid(c *compare.Comparison) *grid {
	g := &grid{columns: []column{
		{title: "variant"},
		{title: marked(c, "item p50"), right: true, drop: 3},
		{title: marked(c, "item p99"), right: true, drop: 1},
		{title: "peak FDs", right: true},
		{title: marked(c, "CPU"), right: true, drop: 2},
		{title: marked(c, "memory"), right: true, drop: 4},
		{title: "errors", right: true},
		{title: "documents"},
	}}
	for _, r := range c.Rows {
		pair := func(format func(summary.Row) string) string { return both(format(r.A), format(r.B)) }
		g.add(r.A.Variant,
			pair(func(r summary.Row) string { return orNone(r.ItemP50, duration) }),
			pair(func(r summary.Row) string { return orNone(r.ItemP99, duration) }),
			pair(func(r summary.Row) string { return orNone(r.Peak, count) }),
			pair(func(r summary.Row) string { return orNone(r.CPU, duration) }),
			pair(func(r summary.Row) string { return orNone(r.PeakRSS, mebibytes) }),
			pair(func(r summary.Row) string { return count(r.ErrorCount()) }),
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
		return none
	case r.Makespan == nil:
		return "too few"
	}
	return fmt.Sprintf("%s [%s, %s]", digits(r.Makespan.Estimate), digits(r.Makespan.Low), digits(r.Makespan.High))
}

func reductionCell(r summary.Row) string {
	if r.Reduction == nil {
		return none
	}
	return percent(r.Reduction.Estimate)
}

func documentsCell(r summary.Row) string {
	switch {
	case r.Checked == 0:
		return none
	case r.Documents.Broken() > 0:
		return broken(r.Documents)
	case r.Documents.Unwritten > 0:
		return count(r.Documents.Unwritten) + " unwritten"
	case r.Documents.Unchecked:
		return "there, unread"
	}
	return "ok"
}

// partial marks a figure of trials in which items failed.
func partial(r summary.Row, cell string) string {
	if r.Partial == 0 || cell == none {
		return cell
	}
	return cell + "*"
}

func partialRemark(r summary.Row) string {
	return fmt.Sprintf("* of less work: %s failed in %s", plural(r.ItemsFailed, "item", "items"), plural(r.Partial, "trial", "trials"))
}

// overrunRemark says that times of the row are not those of its variant.
func overrunRemark(r summary.Row) string {
	return fmt.Sprintf("%s in %s: not evidence for claims", r.Overrun, plural(r.Overruns, "trial", "trials"))
}

func heldBackRemark(r summary.Row) string {
	return plural(r.HeldBack, "request", "requests") + " held back: times measure external.rate"
}

func repeatedRemark(n int) string {
	return plural(n, "request", "requests") + " sent again by the client"
}

// mebibytes writes n in MiB: "30.5 MiB".
func mebibytes(n int64) string { return digits(float64(n)/(1<<20)) + " MiB" }
