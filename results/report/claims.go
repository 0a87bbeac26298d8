package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/verdict"
)

// claims writes each claim in its author's words, what was decided, and why.
func (p *printer) claims() {
	if len(p.v.Claims) == 0 {
		return
	}
	p.line("")
	p.line(p.bold(fmt.Sprintf("claims, judged by %g %% intervals from pairs of one block", 100*p.v.Confidence)))
	for _, c := range p.v.Claims {
		p.line("")
		p.claim(c)
	}
}

func (p *printer) claim(c gate.Claim) {
	tone := c.Verdict().Tone()
	p.line(fmt.Sprintf("%s %s, %s  %s", p.paint(c.Verdict().Mark(), tone), p.bold(p.paint(strings.ToUpper(c.Decision.String()), tone)), expectation(c), p.paint(c.ID, faint)))
	p.wrapped("  ", "“"+c.Says+"”", "")
	for _, n := range c.Notes {
		p.wrapped("    ", n, doubt)
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
	g := &grid{columns: make([]column, 5)}
	for _, e := range points {
		g.add(e.Variant, p.levelOf(e), statement(e), "n="+count(e.N), p.word(e.Decision))
	}
	p.points(g, points)
}

// points writes a row each, whose last three cells are what was measured, of
// how many, and the decision; what is to be said of one stands below it.
func (p *printer) points(g *grid, points []gate.Evidence) {
	const indent = "    "
	below := &grid{columns: make([]column, 2)}
	if len(indent)+g.width() > p.width { // what was measured goes below what it is about
		at := len(g.columns) - 3
		for i, r := range g.rows {
			below.add(r[at], r[at+1])
			g.rows[i] = append(r[:at:at], r[at+2])
		}
		g.columns = g.columns[:at+1]
	}
	measured := below.lines()
	for i, l := range g.lines() {
		p.line(indent + l)
		if len(measured) > 0 {
			p.line(indent + "  " + measured[i])
		}
		p.remarksOn(points[i], indent+"  ")
	}
}

func (p *printer) remarksOn(e gate.Evidence, indent string) {
	for _, r := range evidenceRemarks(e) {
		p.wrapped(indent, r, doubt)
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
		text := orNone(e.Value, percent)
		if e.Low != nil {
			text += fmt.Sprintf(" [%s, %s]", points(*e.Low), points(*e.High))
		}
		return text + " " + limit(e, "≥", "<") + " " + percent(*e.Limit)
	case gate.KindGrowth:
		text := orNone(e.From, points) + " → " + orNone(e.To, percent)
		if e.Value != nil {
			text += fmt.Sprintf(", ratio ÷ %s [%s, %s]", digits(*e.Value), digits(*e.Low), digits(*e.High))
		}
		if e.Decision != "" {
			text += " " + limit(e, ">", "≤") + " " + orNone(e.Limit, median)
		}
		return text
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
		return fmt.Sprintf("median %s → %s, higher in %s of %d", orNone(e.From, median), orNone(e.To, median), whole(e.Value), e.N)
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
	return orNone(v, func(f float64) string { return count(int(f)) })
}

// median of whole numbers, which may be a half.
func median(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func documents(d *results.Documents) string {
	if d == nil {
		return none
	}
	text := fmt.Sprintf("%s of %s found", count(d.Found), count(d.Expected))
	if d.Broken() > 0 {
		text += ", " + broken(*d)
	} else {
		text += ", 0 lost, 0 duplicate"
	}
	if d.Unwritten > 0 {
		text += ", " + count(d.Unwritten) + " unwritten"
	}
	if d.Unchecked {
		text += ", none read"
	}
	return text
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
	sum.Variant = plural(len(variants), "variant", "variants")
	sum.Level = plural(len(levels), "level", "levels")
	if merged < len(variants)*len(levels) {
		sum.Level = fmt.Sprintf("%d points of %s", merged, sum.Level)
	}
	return append([]gate.Evidence{sum}, kept...)
}
