package content

import (
	"fmt"
	"strings"

	"floodgate/results/compare"
	"floodgate/results/summary"
	"floodgate/results/text"
)

// LocalMark marks figures that depend on the machine.
const LocalMark = "†"

// TimeGrid has the times of both runs, with one row per row of the comparison.
func TimeGrid(c *compare.Comparison) *text.Grid {
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
		g.Add(r.A.Variant, BothCell(measuredTrials(r.A), measuredTrials(r.B)), PartialMark(r.A, text.OrNone(r.A.Makespan, text.Duration)),
			PartialMark(r.B, text.OrNone(r.B.Makespan, text.Duration)), RatioCell(r), BothCell(comparedReduction(r.A), comparedReduction(r.B)),
			BothCell(PartialMark(r.A, text.OrNone(r.A.Efficiency, text.Percent)), PartialMark(r.B, text.OrNone(r.B.Efficiency, text.Percent))))
	}
	return g
}

// CostGrid has the costs of both runs: descriptors, CPU time, memory and errors.
func CostGrid(c *compare.Comparison) *text.Grid {
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
		pair := func(format func(summary.Row) string) string { return BothCell(format(r.A), format(r.B)) }
		g.Add(r.A.Variant,
			pair(func(r summary.Row) string { return text.OrNone(r.ItemP50, text.Duration) }),
			pair(func(r summary.Row) string { return text.OrNone(r.ItemP99, text.Duration) }),
			pair(func(r summary.Row) string { return text.OrNone(r.Peak, text.Count) }),
			pair(func(r summary.Row) string { return text.OrNone(r.CPU, text.Duration) }),
			pair(func(r summary.Row) string { return text.OrNone(r.PeakRSS, text.Mebibytes) }),
			pair(func(r summary.Row) string { return text.Count(r.ErrorCount()) }),
			pair(comparedDocuments))
	}
	return g
}

func marked(c *compare.Comparison, title string) string {
	if c.Local {
		return title + " " + LocalMark
	}
	return title
}

// BothCell returns a cell for two runs; a common unit is written once.
func BothCell(a, b string) string {
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

// measuredTrials returns the number of measured trials of a row, and of how many.
func measuredTrials(r summary.Row) string {
	if r.OK == r.Planned {
		return fmt.Sprint(r.OK)
	}
	return fmt.Sprintf("%d/%d", r.OK, r.Planned)
}

// RatioCell writes the ratio of two makespans with its interval, or the reason why
// there is none.
func RatioCell(r compare.Row) string {
	switch {
	case r.Makespan == nil && (r.A.Makespan == nil || r.B.Makespan == nil):
		return text.None
	case r.Makespan == nil:
		return "too few"
	}
	return fmt.Sprintf("%s [%s, %s]", text.Digits(r.Makespan.Estimate), text.Digits(r.Makespan.Low), text.Digits(r.Makespan.High))
}

func comparedReduction(r summary.Row) string {
	if r.Reduction == nil {
		return text.None
	}
	return text.Percent(r.Reduction.Estimate)
}

func comparedDocuments(r summary.Row) string {
	switch {
	case r.Checked == 0:
		return text.None
	case r.Documents.Violations() > 0:
		return IntegrityViolations(r.Documents)
	case r.Documents.Unwritten > 0:
		return text.Count(r.Documents.Unwritten) + " unwritten"
	case r.Documents.Unchecked:
		return "present, unread"
	}
	return "ok"
}

// MixedLine returns the warning that must precede figures of different environments.
func MixedLine(c *compare.Comparison) string {
	return "MIXED ENVIRONMENTS (--allow-mixed): " + strings.Join(c.Mixed, "; ")
}

// ComparisonSide describes a side of a comparison: its run, revision and environment.
func ComparisonSide(s compare.Side) string {
	revision := s.Revision
	if len(revision) > 12 {
		revision = revision[:12]
	}
	if s.Modified {
		revision += " with changes"
	}
	trials := text.Plural(s.Trials, "trial", "trials")
	if s.Trials < s.Planned {
		trials = fmt.Sprintf("%s of %s trials", text.Count(s.Trials), text.Count(s.Planned))
	}
	if len(s.NotOK) > 0 {
		trials += " (" + outcomes(summary.Row{NotOK: s.NotOK}) + ")"
	}
	if s.SUT != nil {
		revision += ", sut " + sutLine(*s.SUT)
	}
	return fmt.Sprintf("%s, %s, %s: %s, %s, revision %s, %s",
		s.ID, s.Scenario, s.Environment.Kind, s.Environment.Database, s.Environment.Upstream, revision, trials)
}

// outcomes describes the outcomes other than ok: "2 crashed, 1 failed".
func outcomes(r summary.Row) string {
	var parts []string
	for _, o := range r.Outcomes() {
		parts = append(parts, text.Count(r.NotOK[o])+" "+PastTense(o))
	}
	return strings.Join(parts, ", ")
}

// ComparisonNotes returns the differences between the sides that bear on the comparison.
func ComparisonNotes(c *compare.Comparison) []string {
	all := append([]string{}, c.Differences...)
	if c.Local {
		all = append(all, LocalMark+" depends on the machine as much as on the program")
	}
	return all
}

// NothingInCommon replaces the rows of a comparison without any.
const NothingInCommon = "The runs have no variant at a level in common, so there is nothing to compare."

// ComparisonMethod describes how the ratios were computed.
func ComparisonMethod(c *compare.Comparison) string {
	if c.Paired {
		return "Ratios of makespans, paired by block: both runs drew the same random values (signed-rank intervals, 95 %)."
	}
	return "Ratios of makespans, unpaired: the runs drew different random values (rank-sum intervals, 95 %)."
}

// ComparisonRemarks returns remarks on a row that its cells do not contain.
func ComparisonRemarks(r compare.Row) []string {
	var parts []string
	if r.Why != "" {
		parts = append(parts, "no interval: "+r.Why)
	}
	if len(r.Missing) > 0 {
		why := make([]string, len(r.Missing))
		for i, m := range r.Missing {
			why[i] = fmt.Sprintf("%s × %d", m.Why, m.Blocks)
		}
		parts = append(parts, "missing: "+strings.Join(why, ", "))
	}
	for i, side := range []summary.Row{r.A, r.B} {
		name := string(rune('A' + i))
		if side.ErrorCount() > 0 {
			parts = append(parts, "errors in "+name+": "+errorTypes(side.Errors))
		}
		if side.Partial > 0 {
			parts = append(parts, name+" "+partialRemark(side))
		}
		if side.Throttled > 0 {
			parts = append(parts, name+" "+throttledRemark(side))
		}
		if side.Repeated > 0 {
			parts = append(parts, name+" "+repeatedRemark(side.Repeated))
		}
	}
	if len(parts) > 0 {
		parts[0] = r.A.Variant + ": " + parts[0]
	}
	return parts
}
