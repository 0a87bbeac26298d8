package report

import (
	"cmp"
	"slices"
	"strings"

	"floodgate/results/noise"
	"floodgate/results/report/text"
)

// noiseNotes are the findings, a line each.
func (p *printer) noiseNotes() []string {
	var all []string
	for _, f := range p.v.Noise.Findings {
		grade, help := "noise", ""
		if f.Severity == noise.TooNoisy {
			grade, help = "too noisy", "; helps: "+f.Helps
		}
		words := grade + ", " + f.Kind + ": " + f.Says
		if f.Level != "" {
			words += ", at " + cmp.Or(p.v.Labels[f.Level], f.Level)
		}
		all = append(all, words+help)
	}
	return all
}

// disturbances are the findings about a plan's machine, a line each.
func disturbances(found []noise.Finding) []string {
	var all []string
	for _, f := range found {
		all = append(all, f.Kind+": "+f.Says+"; helps: "+f.Helps)
	}
	return all
}

// noise writes what disturbed the run, and what would help, where anything did.
func (p *printer) noise() {
	found := slices.Clone(p.v.Noise.Findings)
	if len(found) == 0 {
		return
	}
	slices.SortStableFunc(found, func(a, b noise.Finding) int { return rank(a) - rank(b) })
	p.Line("")
	p.Line(p.Bold("noise"))
	const width = len("too noisy") + len(text.Gap)
	indent := strings.Repeat(" ", 2+width)
	for i, f := range found {
		mark, color := "note", faint
		if f.Severity == noise.TooNoisy {
			mark, color = "too noisy", doubt
		}
		words := f.Kind + ": " + f.Says
		if f.Level != "" {
			words += ", at " + cmp.Or(p.v.Labels[f.Level], f.Level)
		}
		first := "  " + p.Paint(mark, color) + strings.Repeat(" ", width-len(mark))
		for _, l := range p.Wrap(words, len(indent)) {
			p.Line(first + l)
			first = indent
		}
		if i == len(found)-1 || found[i+1].Helps != f.Helps {
			p.Wrapped(indent, "helps: "+f.Helps, faint)
		}
	}
}

// rank puts first what makes pairs doubtful.
func rank(f noise.Finding) int {
	if f.Severity == noise.TooNoisy {
		return 0
	}
	return 1
}
