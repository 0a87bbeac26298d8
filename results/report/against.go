package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"floodgate/results/against"
	"floodgate/results/report/text"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// Against writes the verdict on two programs that ran in turn, for a person.
func Against(w io.Writer, v *against.Verdict, o text.Options) error {
	p := &printer{Printer: text.NewPrinter(o, 80)}
	if v.Scenario != "" {
		p.Line(p.Bold(v.Scenario))
	}
	p.Wrapped("", "A  "+sideOf(v.A), "")
	p.Wrapped("", "B  "+sideOf(v.B), "")
	p.Line("")
	for _, words := range Foreseen(v) {
		p.Wrapped("", words, faint)
	}
	p.lookTable(v)
	p.countTable(v.Counts)
	p.Line("")
	p.achieved(v)
	p.ran(v)
	p.Line("")
	p.againstConclusion(v)
	return p.Flush(w, fmt.Sprintf("verdict %s", v.ID))
}

// AgainstJSON writes the verdict with all its figures.
func AgainstJSON(w io.Writer, v *against.Verdict) error {
	return writeJSON(w, v, fmt.Sprintf("verdict %s", v.ID))
}

func sideOf(s against.Side) string {
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

// Foreseen says, before the first pair, what the design can do.
func Foreseen(v *against.Verdict) []string {
	d := v.Design
	looks := make([]string, len(d.At))
	for i, n := range d.At {
		looks[i] = fmt.Sprint(n)
	}
	last := looks[len(looks)-1]
	after := last
	if len(looks) > 1 {
		after = strings.Join(looks[:len(looks)-1], ", ") + " and " + last
	}
	all := []string{fmt.Sprintf("Worse: B takes more than %s longer than A. At most %s pairs, looks after %s, fixed beforehand. Called worse though it is not: at most %s of such comparisons; called not worse though it is: at most %s.",
		trimmedPercent(d.Margin), last, after, trimmedPercent(v.FalseAlarm), trimmedPercent(v.Missed))}
	for _, c := range v.Cells {
		if c.Decides && c.Expected != nil {
			all = append(all, fmt.Sprintf("%s: %s, with the noise %s.", c.Name(), detectable(*c.Expected), c.Expected.From))
		}
	}
	return all
}

func detectable(d against.Detectable) string {
	if d.Effect == nil {
		return "no worsening is found with a probability of " + trimmedPercent(d.Power)
	}
	return fmt.Sprintf("a worsening of %.3g %% is found with a probability of %s", 100**d.Effect, trimmedPercent(d.Power))
}

func (p *printer) lookTable(v *against.Verdict) {
	where := false
	for _, c := range v.Cells {
		where = where || c.Variant != ""
	}
	level := 0.0
	for _, c := range v.Cells {
		level = max(level, c.Ratio.Level)
	}
	title := "B ÷ A"
	if level > 0 {
		title += fmt.Sprintf(" [%.4g %%]", 100*level)
	}
	g := &text.Grid{Columns: []text.Column{{Title: "figure"}, {Title: "pairs", Right: true}, {Title: "look", Right: true, Drop: 1},
		{Title: "A", Right: true}, {Title: "B", Right: true}, {Title: title, Right: true}, {Title: "margin", Right: true}, {Title: "verdict"}}}
	for _, c := range v.Cells {
		limit, word := fmt.Sprintf("≤ %.4g", 1+v.Design.Margin), p.word(c.Decision)
		if !c.Decides {
			limit, word = "", p.Paint("shown", faint)
		}
		g.Add(figureOf(c), fmt.Sprint(c.Pairs), lookOf(c, v.Design), valueOf(c.Metric, c.A), valueOf(c.Metric, c.B), ratioOf(c.Ratio), limit, word)
	}
	if !slices.ContainsFunc(v.Cells, func(c against.Cell) bool { return c.Pairs > 0 }) {
		return
	}
	p.Line("")
	if where {
		for i, c := range v.Cells {
			if i == 0 || c.Variant != v.Cells[i-1].Variant || c.Level != v.Cells[i-1].Level {
				p.Wrapped("", c.Variant+" at "+c.Level, "")
			}
		}
	}
	dropped := g.Fit(p.Width)
	p.Table(g)
	p.NotShown(dropped)
	for _, c := range v.Cells {
		for _, m := range c.Missing {
			p.Wrapped("", fmt.Sprintf("%s: without a pair, %s: %s", c.Name(), m.Why, text.Plural(m.Blocks, "block", "blocks")), doubt)
		}
		if c.Decides && c.Decision == verdict.Undecided {
			p.Wrapped("", fmt.Sprintf("%s: inconclusive: %s", c.Name(), c.Reason), doubt)
		}
	}
}

func figureOf(c against.Cell) string {
	if c.Variant != "" {
		return c.Variant
	}
	return c.Metric
}

func lookOf(c against.Cell, d stats.Looks) string {
	if c.Look == 0 {
		return "none"
	}
	return fmt.Sprintf("%d of %d", c.Look, len(d.At))
}

func valueOf(metric string, x *float64) string {
	switch {
	case x == nil:
		return text.None
	case metric == against.RSS:
		return mebibytes(int64(*x))
	}
	return text.Duration(time.Duration(*x))
}

func ratioOf(i stats.Interval) string {
	switch {
	case i.N == 0:
		return text.None
	case i.Achieved == 0:
		return text.Digits(i.Estimate)
	}
	return fmt.Sprintf("%s [%s, %s]", text.Digits(i.Estimate), text.Digits(i.Low), text.Digits(i.High))
}

func (p *printer) countTable(counts []against.Count) {
	if len(counts) == 0 {
		return
	}
	p.Line("")
	g := &text.Grid{Columns: []text.Column{{Title: "compared without a test"}, {Title: "A", Right: true}, {Title: "B", Right: true}, {Title: "allowed", Right: true}, {Title: "verdict"}}}
	for _, c := range counts {
		g.Add(c.What+", "+c.Variant, text.Count(c.A), text.Count(c.B), "A + "+fmt.Sprint(c.Allowed), p.word(c.Decision))
	}
	widths := g.Widths()
	p.Titles(g, widths)
	for i, row := range g.Rows {
		p.Line(g.Line(row, widths))
		if why := counts[i].Why; why != "" {
			p.Wrapped("  ", why, doubt)
		}
	}
}

func (p *printer) achieved(v *against.Verdict) {
	for _, c := range v.Cells {
		if c.Decides && c.Achieved != nil {
			p.Wrapped("", fmt.Sprintf("%s: with the noise of these pairs %s.", c.Name(), detectable(*c.Achieved)), faint)
		}
	}
}

// againstFacts say where and on what it ran.
func againstFacts(v *against.Verdict) *text.Grid {
	g := &text.Grid{Columns: make([]text.Column, 2)}
	g.Add("gate", fmt.Sprintf("%s, seed %d", v.ID, v.Seed))
	if v.Records != "" {
		g.Add("records", v.Records)
	}
	if e := v.Environment; e != nil {
		g.Add("environment", fmt.Sprintf("%s: %s, %s", e.Kind, e.Database, e.Upstream))
	}
	m := v.Machine
	g.Add("machine", fmt.Sprintf("%s, %s/%s", machineLine(m), m.OS, m.Arch))
	return g
}

// unmeasured says why nothing could be compared; empty: something could.
func unmeasured(v *against.Verdict) string {
	if v.Unmeasured == "" && v.Decision == verdict.NotMeasured {
		return "no pair of both sides counts, so nothing was compared"
	}
	return v.Unmeasured
}

func (p *printer) ran(v *against.Verdict) {
	for _, row := range againstFacts(v).Rows {
		p.hanging(fmt.Sprintf("%-*s%s", indent, row[0], row[1]))
	}
	for _, n := range slices.Concat(v.Notes, v.Remarks) {
		p.hanging(fmt.Sprintf("%-*s%s", indent, "note", n))
	}
}

func (p *printer) againstConclusion(v *against.Verdict) {
	if words := unmeasured(v); words != "" {
		p.Wrapped("", "not measured: "+words, bad)
	}
	word, words := againstSummary(v)
	if words != "" {
		words = ": " + words
	}
	p.Line(fmt.Sprintf("%s%s (exit code %d)", p.Bold(p.Paint(word, v.Decision.Tone())), words, v.Exit))
}

// againstSummary is "worse", "1 worse, 5 not worse".
func againstSummary(v *against.Verdict) (word, words string) {
	word = string(v.Decision)
	if v.Decision == verdict.Passed || v.Decision == verdict.Failed {
		word = verdict.Comparisons.Word(v.Decision).String()
	}
	if unmeasured(v) != "" {
		return word, ""
	}
	return word, counted(v.Tally())
}
