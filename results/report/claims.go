package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
)

// claims writes each claim in its author's words, what was decided, and why.
func (p *printer) claims() {
	if len(p.v.Claims) == 0 {
		return
	}
	p.Line("")
	p.Line(p.Bold(fmt.Sprintf("claims, judged by %g %% intervals from pairs of one block", 100*p.v.Confidence)))
	for _, c := range p.v.Claims {
		p.Line("")
		p.claim(c)
	}
}

func (p *printer) claim(c gate.Claim) {
	tone := c.Verdict().Tone()
	p.Line(fmt.Sprintf("%s %s, %s  %s", p.Paint(c.Verdict().Mark(), tone), p.Bold(p.Paint(strings.ToUpper(c.Decision.String()), tone)), expectation(c), p.Paint(c.ID, faint)))
	p.Wrapped("  ", "“"+c.Says+"”", "")
	for _, n := range c.Notes {
		p.Wrapped("    ", n, doubt)
	}
	p.evidence(condense(c.Evidence))
}

// expectation says whether the decision is the one that was expected.
func expectation(c gate.Claim) string {
	if c.AsExpected {
		return "as expected"
	}
	return "expected: " + c.Expected.String()
}

// evidence aligns the points of a claim.
func (p *printer) evidence(points []gate.Evidence) {
	g := &text.Grid{Columns: make([]text.Column, 5)}
	for _, e := range points {
		g.Add(e.Variant, p.levelOf(e), statement(e), "n="+text.Count(e.N), p.word(e.Decision))
	}
	p.points(g, points)
}

// points writes a row each, whose last three cells are what was measured, of
// how many, and the decision; what is to be said of one stands below it.
func (p *printer) points(g *text.Grid, points []gate.Evidence) {
	const indent = "    "
	below := &text.Grid{Columns: make([]text.Column, 2)}
	if len(indent)+g.Width() > p.Width { // what was measured goes below what it is about
		at := len(g.Columns) - 3
		for i, r := range g.Rows {
			below.Add(r[at], r[at+1])
			g.Rows[i] = append(r[:at:at], r[at+2])
		}
		g.Columns = g.Columns[:at+1]
	}
	measured := below.Lines()
	for i, l := range g.Lines() {
		p.Line(indent + l)
		if len(measured) > 0 {
			p.Line(indent + "  " + measured[i])
		}
		p.remarksOn(points[i], indent+"  ")
	}
}

func (p *printer) remarksOn(e gate.Evidence, indent string) {
	for _, r := range evidenceRemarks(e) {
		p.Wrapped(indent, r, doubt)
	}
}

// evidenceRemarks say what is missing of a point, and its notes.
func evidenceRemarks(e gate.Evidence) []string {
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

// levelOf names the level or, of two, what sets them apart and what they share.
func (p *printer) levelOf(e gate.Evidence) string {
	if e.FromLevel == "" {
		return cmp.Or(p.v.Labels[e.Level], e.Level)
	}
	name, from, _ := strings.Cut(e.FromLevel, "=")
	_, to, _ := strings.Cut(e.ToLevel, "=")
	return strings.TrimSpace(fmt.Sprintf("%s=%s…%s %s", name, from, to, e.Level))
}

// statement says what was measured, with the limit beside it.
func statement(e gate.Evidence) string {
	switch e.Kind {
	case gate.KindReduction:
		words := text.OrNone(e.Value, text.Percent)
		if e.Low != nil {
			words += fmt.Sprintf(" [%s, %s]", text.Points(*e.Low), text.Points(*e.High))
		}
		return words + " " + limit(e, "≥", "<") + " " + text.Percent(*e.Limit)
	case gate.KindGrowth:
		words := text.OrNone(e.From, text.Points) + " → " + text.OrNone(e.To, text.Percent)
		if e.Value != nil {
			words += fmt.Sprintf(", ratio ÷ %s [%s, %s]", text.Digits(*e.Value), text.Digits(*e.Low), text.Digits(*e.High))
		}
		if e.Decision != "" {
			words += " " + limit(e, ">", "≤") + " " + text.OrNone(e.Limit, median)
		}
		return words
	case gate.KindPeak:
		return whole(e.Value) + " " + limit(e, "≤", ">") + " " + whole(e.Limit)
	case gate.KindExhaustion:
		return fmt.Sprintf("%s of %d trials ran out of descriptors", whole(e.Value), e.N)
	case gate.KindNoExhaustion:
		return fmt.Sprintf("%d of %d trials ran out of descriptors", e.N-int(*e.Value), e.N)
	case gate.KindCause:
		return fmt.Sprintf("%s of %d trials show it", whole(e.Value), e.N)
	case gate.KindCourse:
		return fmt.Sprintf("%s of %d trials went so", whole(e.Value), e.N)
	case gate.KindForecast:
		return fmt.Sprintf("%s of %d trials ran out when it was predicted", whole(e.Value), e.N)
	case gate.KindPeakGrowth:
		return fmt.Sprintf("median %s → %s, higher in %s of %d", text.OrNone(e.From, median), text.OrNone(e.To, median), whole(e.Value), e.N)
	}
	return documents(e.Documents)
}

// limit is the sign between a value and its limit: as claimed where that is
// proved, the other where it is refuted, and a question where it is open.
func limit(e gate.Evidence, holds, broken string) string {
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

// median of whole numbers, which may be a half.
func median(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func documents(d *results.Documents) string {
	if d == nil {
		return text.None
	}
	words := fmt.Sprintf("%s of %s found", text.Count(d.Found), text.Count(d.Expected))
	if d.Broken() > 0 {
		words += ", " + broken(*d)
	} else {
		words += ", 0 lost, 0 duplicate"
	}
	if d.Unwritten > 0 {
		words += ", " + text.Count(d.Unwritten) + " unwritten"
	}
	if d.Unchecked {
		words += ", none read"
	}
	return words
}

// condense puts points about documents that are all proved into one.
func condense(points []gate.Evidence) []gate.Evidence {
	var kept []gate.Evidence
	sum := gate.Evidence{Kind: gate.KindDocuments, Decision: verdict.Proved, Documents: new(results.Documents)}
	merged, variants, levels := 0, make(map[string]bool), make(map[string]bool)
	for _, e := range points {
		if e.Kind != gate.KindDocuments || e.Decision != verdict.Proved {
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
	return append([]gate.Evidence{sum}, kept...)
}
