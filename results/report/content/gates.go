package content

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchunit"

	"floodgate/results/baseline"
	"floodgate/results/gobench"
	"floodgate/results/pairs"
	"floodgate/results/stats"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// BaselineValue formats a value of a baseline in its unit; nil means that it was not
// measured.
func BaselineValue(v *float64, unit string) string {
	if v == nil {
		return text.None
	}
	switch unit {
	case baseline.UnitMillis:
		return text.Duration(time.Duration(*v * 1e6))
	case baseline.UnitShare:
		return text.Percent(*v)
	case baseline.UnitMiB:
		return text.Digits(*v) + " MiB"
	}
	if *v == float64(int(*v)) {
		return text.Count(int(*v))
	}
	return text.Digits(*v)
}

// BaselineLimit writes the limit of a row: "≤ 12" or "≥ 81.3 %".
func BaselineLimit(r baseline.Row) string {
	switch {
	case r.Limit == nil:
		return text.None
	case r.AtLeast:
		return "≥ " + BaselineValue(r.Limit, r.Unit)
	}
	return "≤ " + BaselineValue(r.Limit, r.Unit)
}

// BaselineCost formats the cost with its limit.
func BaselineCost(r baseline.Row) string {
	switch {
	case r.Effect == nil && r.Allowed == 0:
		return ""
	case r.Effect == nil:
		return text.None
	}
	return fmt.Sprintf("%s [%s, %s] ≤ %s", text.Digits(r.Effect.Estimate), text.Digits(r.Effect.Low), text.Digits(r.Effect.High), text.Digits(r.Allowed))
}

// BaselineMethod explains the verdicts.
func BaselineMethod(c *baseline.Comparison) string {
	how := "paired by block, as both drew the same random values (signed-rank intervals, 95 %)"
	if !c.Paired {
		how = "unpaired, as they drew different random values (rank-sum intervals, 95 %)"
	}
	words := fmt.Sprintf("Cost: the run's value divided by the baseline's, %s. The cost of a reduction is that of the time as a share of the sequential time; the cost of an efficiency is that of the time over the ideal. Worse: the whole interval lies above the limit. Inconclusive: part of it does. Counts have hard limits.", how)
	if c.Primaries > 0 {
		words += fmt.Sprintf(" Makespans are compared after Holm's correction over %d.", c.Primaries)
	}
	if n, chance := c.FalseFailure(); n > 0 {
		words += fmt.Sprintf(" Without a change, chance alone fails any of %s that decide with a probability of at most %s (union bound).", text.Plural(n, "interval", "intervals"), TrimmedPercent(chance))
	}
	return words
}

// BaselineMovements describes which stages and resources moved since the baseline, a line
// for each variant and level of which any did: "bounded-10 at items=40: fetch +11 % [8, 14],
// write unchanged [-1, 2] %".
func BaselineMovements(c *baseline.Comparison) (lines []string) {
	var order []string
	parts, moved := map[string][]string{}, map[string]bool{}
	for _, r := range c.Rows {
		if !r.Explains() {
			continue
		}
		where := r.Where()
		if !slices.Contains(order, where) {
			order = append(order, where)
		}
		change := *r.Effect
		change.Estimate, change.Low, change.High = change.Estimate-1, change.Low-1, change.High-1
		m := pairs.Movement{Change: change, Decision: verdict.Same}
		if change.Low > 0 || change.High < 0 {
			m.Decision, moved[where] = verdict.Worse, true
		}
		parts[where] = append(parts[where], r.Metric+" "+movement(m))
	}
	for _, where := range order {
		if moved[where] {
			lines = append(lines, fmt.Sprintf("since the baseline, %s: %s (95 %% intervals, which explain and do not decide)", where, strings.Join(parts[where], ", ")))
		}
	}
	return lines
}

// BaselineSummary summarizes the comparison.
func BaselineSummary(v *baseline.Outcome) string {
	c := v.Comparison
	words := text.Plural(len(c.Rows), "value", "values") + ": " + counted(c.Counts)
	if c.Warned > 0 {
		words += fmt.Sprintf("; %s of the worse or inconclusive only warn", text.Count(c.Warned))
	}
	if len(c.Added) > 0 {
		words += "; some values of the run are not in the baseline and were not compared"
	}
	if c.Decision == verdict.NotMeasured {
		words = "nothing could be compared: " + words
	}
	return words
}

// BenchmarkName returns the name of a benchmark, after its package if packages is set.
func BenchmarkName(pkg, name string, packages bool) string {
	if packages && pkg != "" {
		return pkg + "." + name
	}
	return name
}

// SeveralPackages reports whether names need the names of their packages.
func SeveralPackages(v *gobench.Outcome) bool {
	seen := map[string]bool{}
	for _, u := range v.Units {
		for _, r := range u.Rows {
			seen[r.Package] = true
		}
	}
	for _, o := range append(v.Missing[:len(v.Missing):len(v.Missing)], v.Added...) {
		seen[o.Package] = true
	}
	return len(seen) > 1
}

// BenchmarkValue formats a value with a prefix of its unit: "12.34m"; values that
// are too long have an exponent.
func BenchmarkValue(x float64, class benchunit.Class) string {
	if a := math.Abs(x); a != 0 && (a < 1e-12 || a >= 1e16) {
		return fmt.Sprintf("%.4g", x)
	}
	return benchunit.Scale(x, class)
}

// SignedPercent writes a share with its sign, as benchstat does: "+4.20%".
func SignedPercent(share float64) string {
	words := Brief(100*share, 2)
	if share > 0 {
		words = "+" + words
	}
	return words + "%"
}

// Brief writes numbers of many digits with an exponent.
func Brief(x float64, decimals int) string {
	if math.Abs(x) >= 1e6 {
		return fmt.Sprintf("%.3g", x)
	}
	return fmt.Sprintf("%.*f", decimals, x)
}

// BenchmarkDelta formats a change like benchstat: "~" if it is not significant.
func BenchmarkDelta(r gobench.Row) string {
	switch {
	case r.Decision == verdict.Same && r.P != nil, r.Need > 0:
		return "~"
	case r.Delta == nil:
		return "?"
	}
	return SignedPercent(*r.Delta)
}

// PValue writes a p-value with three decimals, or "<0.001".
func PValue(p float64) string {
	if p > 0 && p < 0.0005 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

// BenchmarkSamples writes the numbers of samples, as benchstat does: "6", or "6+5" if they differ.
func BenchmarkSamples(r gobench.Row) string {
	if r.Old.N == r.New.N {
		return fmt.Sprint(r.Old.N)
	}
	return fmt.Sprintf("%d+%d", r.Old.N, r.New.N)
}

// GoBenchMethod explains the verdicts.
func GoBenchMethod(v *gobench.Outcome) string {
	margin := "significantly worse, and the median by more than the margin of its unit"
	switch {
	case v.Margin == nil:
	case *v.Margin > 0:
		margin = "significantly worse, and the median by more than " + TrimmedPercent(*v.Margin)
	default:
		margin = "significantly worse, by any amount (margin 0 %)"
	}
	words := fmt.Sprintf("Medians ± 95 %% intervals. Worse: %s. Significant: Mann-Whitney, p ≤ %[3]g after Holm's correction over %[2]s",
		margin, text.Plural(v.Tests, "test", "tests"), v.Alpha)
	if v.Interleaved {
		words += fmt.Sprintf(", so the chance of any false alarm is at most %s if the samples are independent", TrimmedPercent(v.Alpha))
	}
	return words + "."
}

// GoBenchMargin describes the margin of a unit and its source: "50 % (default)". It is
// empty if one margin was given for all units.
func GoBenchMargin(v *gobench.Outcome, u gobench.Unit) string {
	if v.Margin != nil {
		return ""
	}
	return fmt.Sprintf("%s (%s)", TrimmedPercent(u.Margin), u.MarginFrom)
}

// GoBenchSummary summarizes the comparison: "of 3 comparisons 1 worse, 2 same".
func GoBenchSummary(v *gobench.Outcome) string {
	rows := 0
	for _, u := range v.Units {
		rows += len(u.Rows)
	}
	if rows == 0 {
		return "the files have no benchmarks in common"
	}
	return fmt.Sprintf("%s: %s", text.Plural(rows, "comparison", "comparisons"), counted(v.Counts))
}

// PairsSide describes a side of a comparison in pairs.
func PairsSide(s pairs.Side) string {
	words := s.Name
	if s.Revision != "" {
		words += fmt.Sprintf(" (%.12s", s.Revision)
		if s.Modified {
			words += " with changes"
		}
		if s.Toolchain != "" {
			words += ", " + s.Toolchain
		}
		words += ")"
	}
	return words
}

// EstimatedPower describes, before the first pair, what the design can detect.
func EstimatedPower(v *pairs.Outcome) []string {
	d := v.PerTest()
	analyses := make([]string, len(d.At))
	for i, n := range d.At {
		analyses[i] = fmt.Sprint(n)
	}
	last := analyses[len(analyses)-1]
	after := last
	if len(analyses) > 1 {
		after = strings.Join(analyses[:len(analyses)-1], ", ") + " and " + last
	}
	worse := "B takes more than %s longer than A"
	if slices.ContainsFunc(v.Cells, func(c pairs.Cell) bool { return c.Decides && c.Metric == pairs.ResponseP99 }) {
		worse = "a figure of B is more than %s above that of A"
	}
	of := ""
	if v.Tests > 1 {
		of = fmt.Sprintf(" in any of %d tests", v.Tests)
	}
	words := fmt.Sprintf("Worse: "+worse+". At most %s pairs, with interim analyses after %s, fixed in advance. Probability of a false alarm%s: at most %s; of a missed regression: at most %s.",
		TrimmedPercent(d.Margin), last, after, of, TrimmedPercent(v.FalseAlarm), TrimmedPercent(v.Missed))
	if v.Tests > 1 {
		words += fmt.Sprintf(" The tests share it equally (Bonferroni, %s each).", TrimmedPercent(d.Alpha/2))
	}
	all := []string{words}
	for _, c := range v.Cells {
		if c.Decides && c.Expected != nil {
			all = append(all, fmt.Sprintf("%s: estimated power: %s, with the noise %s.", c.Name(), Detectable(*c.Expected), c.Expected.From))
		}
	}
	return all
}

// Movements describes which stages and resources of revisions moved, a line for each
// variant: "bounded-10 at items=200: fetch +11 % [8, 14], write unchanged [-1, 2]; CPU per
// item +9 % [7, 11]", and then the functions that grew most. It is nil if nothing was compared.
func Movements(v *pairs.Outcome) (lines []string) {
	var stages, resources []string
	for i, m := range v.Movements {
		words := m.Name + " " + movement(m)
		if m.Kind == pairs.StageMoved {
			stages = append(stages, words)
		} else {
			resources = append(resources, words)
		}
		if i+1 < len(v.Movements) && v.Movements[i+1].Variant == m.Variant {
			continue
		}
		groups := resources
		if len(stages) > 0 {
			groups = append([]string{strings.Join(stages, ", ")}, resources...)
		}
		lines = append(lines, fmt.Sprintf("from A to B, %s at %s: %s (95 %% intervals, which explain and do not decide)", m.Variant, m.Level, strings.Join(groups, "; ")))
		stages, resources = nil, nil
	}
	return append(lines, ProfileLines(v.Profiles)...)
}

// movement writes a change with its interval: "+11 % [8, 14]", "+3 [3, 3]", or "unchanged
// [-1 %, 2 %]".
func movement(m pairs.Movement) string {
	scale, unit := 100.0, " %"
	if m.Absolute {
		scale, unit = 1, ""
	}
	digits := func(x float64) string { return strconv.FormatFloat(roundedTo(scale*x, 3), 'f', -1, 64) }
	ends := fmt.Sprintf("[%s, %s]", digits(m.Change.Low), digits(m.Change.High))
	if m.Decision == verdict.Same {
		return "unchanged " + ends + unit
	}
	sign := ""
	if m.Change.Estimate > 0 {
		sign = "+"
	}
	return sign + digits(m.Change.Estimate) + unit + " " + ends
}

// roundedTo rounds to significant digits, and to at most one decimal.
func roundedTo(x float64, digits int) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', digits, 64), 64)
	if err != nil { // always parses
		return x
	}
	short = math.Round(short*10) / 10
	if short == 0 {
		return 0 // never -0
	}
	return short
}

// Detectable describes the regression that a comparison detects, and with which probability.
func Detectable(d pairs.Detectable) string {
	if d.Effect == nil {
		return "no regression is detected with a probability of " + TrimmedPercent(d.Power)
	}
	return fmt.Sprintf("a regression of %.3g %% is detected with a probability of %s", 100**d.Effect, TrimmedPercent(d.Power))
}

// PairsInterim describes at which of the planned interim analyses a cell was
// decided.
func PairsInterim(c pairs.Cell, d stats.Design) string {
	if c.Interim == 0 {
		return "none"
	}
	return fmt.Sprintf("%d of %d", c.Interim, len(d.At))
}

// PairsValue writes a value of a metric; nil means it was not measured.
func PairsValue(metric string, x *float64) string {
	switch {
	case x == nil:
		return text.None
	case metric == pairs.RSS:
		return text.Mebibytes(int64(*x))
	}
	return text.Duration(time.Duration(*x))
}

// PairsRatio writes the ratio B ÷ A with its interval.
func PairsRatio(i stats.Interval) string {
	switch {
	case i.N == 0:
		return text.None
	case i.Achieved == 0:
		return text.Digits(i.Estimate)
	}
	return fmt.Sprintf("%s [%s, %s]", text.Digits(i.Estimate), text.Digits(i.Low), text.Digits(i.High))
}

// PairsAllowed writes the number by which a count of B may exceed that of A.
func PairsAllowed(c pairs.Count) string {
	if c.Tested {
		return "A + chance"
	}
	return fmt.Sprintf("A + %d", c.Allowed)
}

// PairsFacts returns facts about the environment of the comparison.
func PairsFacts(v *pairs.Outcome) *text.Grid {
	g := &text.Grid{Columns: make([]text.Column, 2)}
	g.Add("gate", fmt.Sprintf("%s, seed %d", v.ID, v.Seed))
	if v.Records != "" {
		g.Add("records", v.Records)
	}
	if e := v.Environment; e != nil {
		g.Add("environment", fmt.Sprintf("%s: %s, %s", e.Kind, e.Database, e.Upstream))
	}
	m := v.Machine
	g.Add("machine", fmt.Sprintf("%s, %s/%s", MachineLine(m), m.OS, m.Arch))
	return g
}

// PairsUnmeasured returns the reason why nothing could be compared, or "".
func PairsUnmeasured(v *pairs.Outcome) string {
	if v.Unmeasured == "" && v.Decision == verdict.NotMeasured {
		return "no pair has valid trials of both sides, so nothing was compared"
	}
	return v.Unmeasured
}

// PairsSummary returns the verdict as a word and the counts as words: "worse", "1
// worse, 5 not worse".
func PairsSummary(v *pairs.Outcome) (word, words string) {
	word = string(v.Decision)
	if v.Decision == verdict.Passed || v.Decision == verdict.Failed {
		word = verdict.Comparisons.Word(v.Decision).String()
	}
	if PairsUnmeasured(v) != "" {
		return word, ""
	}
	return word, counted(v.Tally())
}
