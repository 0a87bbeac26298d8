package content

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// Expectation describes whether the decision is the expected one.
func Expectation(c claims.Claim) string {
	if c.AsExpected {
		return "as expected"
	}
	return "expected: " + c.Expected.String()
}

// EvidenceRemarks returns the missing trials and the notes of a point.
func EvidenceRemarks(e claims.Evidence) []string {
	var remarks []string
	if len(e.Missing) > 0 {
		parts := make([]string, len(e.Missing))
		for i, m := range e.Missing {
			parts[i] = fmt.Sprintf("%s × %d", m.Why, m.Blocks)
		}
		remarks = append(remarks, "missing: "+strings.Join(parts, "; "))
	}
	return append(remarks, e.Notes...)
}

// LevelOf returns the level or, for two levels, their difference and their common
// factors.
func (p *Run) LevelOf(e claims.Evidence) string {
	if e.FromLevel == "" {
		return cmp.Or(p.Outcome.Labels[e.Level], e.Level)
	}
	name, from, _ := strings.Cut(e.FromLevel, "=")
	_, to, _ := strings.Cut(e.ToLevel, "=")
	return strings.TrimSpace(fmt.Sprintf("%s=%s…%s %s", name, from, to, e.Level))
}

// Statement returns the figures of a point with the limit.
func Statement(e claims.Evidence) string {
	switch e.Kind {
	case claims.KindReduction:
		words := text.OrNone(e.Value, text.Percent)
		if e.Low != nil {
			words += fmt.Sprintf(" [%s, %s]", text.Points(*e.Low), text.Points(*e.High))
		}
		return words + " " + limit(e, "≥", "<") + " " + text.Percent(*e.Limit)
	case claims.KindGrowth:
		words := text.OrNone(e.From, text.Points) + " → " + text.OrNone(e.To, text.Percent)
		if e.Value != nil {
			words += fmt.Sprintf(", makespan ratio ÷ %s [%s, %s]", text.Digits(*e.Value), text.Digits(*e.Low), text.Digits(*e.High))
		}
		if e.Decision != "" {
			words += " " + limit(e, ">", "≤") + " " + text.OrNone(e.Limit, Shortest)
		}
		return words
	case claims.KindPeak:
		return whole(e.Value) + " " + limit(e, "≤", ">") + " " + whole(e.Limit)
	case claims.KindLimitRespected:
		return "peak in flight " + whole(e.Value) + " " + limit(e, "≤", ">") + " " + whole(e.Limit)
	case claims.KindExhaustion:
		return fmt.Sprintf("%s of %d trials ran out of descriptors", whole(e.Value), e.N)
	case claims.KindNoExhaustion:
		return fmt.Sprintf("%d of %d trials ran out of descriptors", e.N-int(*e.Value), e.N)
	case claims.KindCause:
		return fmt.Sprintf("%s of %d trials show this cause", whole(e.Value), e.N)
	case claims.KindTimeSeries:
		return fmt.Sprintf("%s of %d trials match", whole(e.Value), e.N)
	case claims.KindPredictedExhaustion:
		return fmt.Sprintf("%s of %d trials ran out when predicted", whole(e.Value), e.N)
	case claims.KindConvergence:
		return fmt.Sprintf("%s of %d trials settled in time", whole(e.Value), e.N)
	case claims.KindOvershoot:
		return fmt.Sprintf("%s of %d trials stayed below the claimed limit", whole(e.Value), e.N)
	case claims.KindThroughputLost:
		words := "throughput lost " + text.OrNone(e.Value, text.Percent)
		if e.Low != nil {
			words += fmt.Sprintf(" [%s, %s]", text.Points(*e.Low), text.Points(*e.High))
		}
		return words + " " + limit(e, "≤", ">") + " " + text.Percent(*e.Limit) + against(e)
	case claims.KindP99:
		words := "p99 × " + text.OrNone(e.Value, text.Digits)
		if e.Low != nil {
			words += fmt.Sprintf(" [%s, %s]", text.Digits(*e.Low), text.Digits(*e.High))
		}
		return words + " " + limit(e, "≤", ">") + " " + text.Digits(*e.Limit) + against(e)
	case claims.KindPeakGrowth:
		return fmt.Sprintf("median %s → %s, higher in %s of %d", text.OrNone(e.From, Shortest), text.OrNone(e.To, Shortest), whole(e.Value), e.N)
	}
	return documents(e.Documents)
}

// against names the best fixed limit of a comparison, if there was one.
func against(e claims.Evidence) string {
	if e.Reference == "" {
		return ""
	}
	return " of " + e.Reference
}

// limit returns the sign between a value and its limit: the claimed one if the point
// is proved, the opposite if it is refuted, and with a question mark if it is
// undecided.
func limit(e claims.Evidence, holds, broken string) string {
	switch e.Decision {
	case verdict.Proved:
		return holds
	case verdict.Refuted:
		return broken
	}
	return holds + "?"
}

func whole(v *float64) string {
	return text.OrNone(v, func(f float64) string { return text.Count(int(f)) })
}

// Shortest formats a number that is whole or a half.
func Shortest(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func documents(d *results.Documents) string {
	if d == nil {
		return text.None
	}
	words := fmt.Sprintf("%s of %s found", text.Count(d.Found), text.Count(d.Expected))
	if d.Violations() > 0 {
		words += ", " + IntegrityViolations(*d)
	} else {
		words += ", 0 lost, 0 duplicate"
	}
	if d.Unwritten > 0 {
		words += ", " + text.Count(d.Unwritten) + " unwritten"
	}
	if d.Unchecked {
		words += ", not read"
	}
	return words
}

// Condense combines points about documents that are all proved.
func Condense(points []claims.Evidence) []claims.Evidence {
	var kept []claims.Evidence
	sum := claims.Evidence{Kind: claims.KindDocuments, Decision: verdict.Proved, Documents: new(results.Documents)}
	merged, variants, levels := 0, make(map[string]bool), make(map[string]bool)
	for _, e := range points {
		if e.Kind != claims.KindDocuments || e.Decision != verdict.Proved {
			kept = append(kept, e)
			continue
		}
		merged++
		variants[e.Variant], levels[e.Level] = true, true
		sum.N += e.N
		sum.Documents.Expected += e.Documents.Expected
		sum.Documents.Found += e.Documents.Found
		sum.Documents.Unchecked = sum.Documents.Unchecked || e.Documents.Unchecked
	}
	if merged == 0 {
		return kept
	}
	sum.Variant = text.Plural(len(variants), "variant", "variants")
	sum.Level = text.Plural(len(levels), "level", "levels")
	if merged < len(variants)*len(levels) {
		sum.Level = fmt.Sprintf("%d points of %s", merged, sum.Level)
	}
	return append([]claims.Evidence{sum}, kept...)
}

// Rule returns the rule with its margin and other settings.
func Rule(t verdict.Threshold) string {
	var remarks []string
	if t.Margin > 0 {
		remarks = append(remarks, "margin "+unpadded(t.Margin))
	}
	if t.Abort {
		remarks = append(remarks, "aborts the run")
	}
	if t.OnlyWarns() {
		remarks = append(remarks, "warning only")
	}
	rule := strings.Join(strings.Fields(t.Rule), " ")
	if remarks != nil {
		rule += " (" + strings.Join(remarks, ", ") + ")"
	}
	return rule
}

// ThresholdStatement returns the value with its limit and the sign that is true of
// them, or the budget's own with a question mark if the point is undecided.
func ThresholdStatement(t claims.Threshold, e claims.Evidence) string {
	if e.Kind == claims.KindReduction {
		words := text.OrNone(e.Value, text.Percent)
		if e.Low != nil {
			words += fmt.Sprintf(" [%s, %s]", text.Points(*e.Low), text.Points(*e.High))
		}
		return words + " " + signOf(t, e) + " " + text.Percent(*e.Limit)
	}
	value, limit := text.None, inUnit(*e.Limit, t.Unit)
	if e.Value != nil {
		value = inUnit(*e.Value, t.Unit)
		if value == limit && *e.Value != *e.Limit { // the same three digits
			value = t.Unit.Text(*e.Value)
		}
	}
	return value + " " + signOf(t, e) + " " + limit
}

func signOf(t claims.Threshold, e claims.Evidence) string {
	signs := map[string][2]string{"<": {"<", "≥"}, "<=": {"≤", ">"}, ">": {">", "≤"}, ">=": {"≥", "<"}, "==": {"=", "≠"}}[t.Op]
	if e.Decision == verdict.Undecided || e.Value == nil {
		return signs[0] + "?"
	}
	b := scenarios.Budget{Op: t.Op, Limit: *e.Limit}
	if met, _ := b.Met(*e.Value, 0); !met {
		return signs[1]
	}
	return signs[0]
}

// inUnit formats a value of a threshold.
func inUnit(v float64, unit scenarios.Unit) string {
	switch unit {
	case scenarios.UnitTime:
		return text.Duration(time.Duration(v))
	case scenarios.UnitBytes:
		return text.Mebibytes(int64(v))
	case scenarios.UnitShare:
		return text.Percent(v)
	case scenarios.UnitRate:
		return unit.Text(v)
	}
	return text.Count(int(v))
}

// unpadded formats a share as a percentage with up to six decimals: "5 %".
func unpadded(share float64) string {
	return fmt.Sprintf("%g %%", math.Round(1e8*share)/1e6)
}
