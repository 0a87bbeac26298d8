package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"floodgate/results/against"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// Against writes the verdict on two programs that ran in turn, for a person.
func Against(w io.Writer, v *against.Verdict, o Options) error {
	if o.Width == 0 {
		o.Width = 100
	}
	p := &printer{width: max(o.Width, 80), color: o.Color}
	if v.Scenario != "" {
		p.line(p.bold(v.Scenario))
	}
	p.wrapped("", "A  "+sideOf(v.A), "")
	p.wrapped("", "B  "+sideOf(v.B), "")
	p.line("")
	for _, text := range Foreseen(v) {
		p.wrapped("", text, faint)
	}
	p.lookTable(v)
	p.countTable(v.Counts)
	p.line("")
	p.achieved(v)
	p.ran(v)
	p.line("")
	p.againstConclusion(v)
	if _, err := w.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("write verdict %s: %w", v.ID, err)
	}
	return nil
}

// AgainstJSON writes the verdict with all its figures.
func AgainstJSON(w io.Writer, v *against.Verdict) error {
	return writeJSON(w, v, fmt.Sprintf("verdict %s", v.ID))
}

func sideOf(s against.Side) string {
	text := s.Name
	if s.Revision != "" {
		text += fmt.Sprintf(" (%.12s", s.Revision)
		if s.Modified {
			text += " with changes"
		}
		if s.Toolchain != "" {
			text += ", " + s.Toolchain
		}
		text += ")"
	}
	return text
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
	g := &grid{columns: []column{{title: "figure"}, {title: "pairs", right: true}, {title: "look", right: true, drop: 1},
		{title: "A", right: true}, {title: "B", right: true}, {title: title, right: true}, {title: "margin", right: true}, {title: "verdict"}}}
	for _, c := range v.Cells {
		limit, word := fmt.Sprintf("≤ %.4g", 1+v.Design.Margin), p.word(c.Decision)
		if !c.Decides {
			limit, word = "", p.paint("shown", faint)
		}
		g.add(figureOf(c), fmt.Sprint(c.Pairs), lookOf(c, v.Design), valueOf(c.Metric, c.A), valueOf(c.Metric, c.B), ratioOf(c.Ratio), limit, word)
	}
	if !slices.ContainsFunc(v.Cells, func(c against.Cell) bool { return c.Pairs > 0 }) {
		return
	}
	p.line("")
	if where {
		for i, c := range v.Cells {
			if i == 0 || c.Variant != v.Cells[i-1].Variant || c.Level != v.Cells[i-1].Level {
				p.wrapped("", c.Variant+" at "+c.Level, "")
			}
		}
	}
	dropped := g.fit(p.width)
	widths := g.widths()
	p.line(p.paint(g.line(g.titles(), widths), faint))
	for _, row := range g.rows {
		p.line(g.line(row, widths))
	}
	if len(dropped) > 0 {
		p.wrapped("", "not shown, for want of width: "+strings.Join(dropped, ", "), faint)
	}
	for _, c := range v.Cells {
		for _, m := range c.Missing {
			p.wrapped("", fmt.Sprintf("%s: without a pair, %s: %s", c.Name(), m.Why, plural(m.Blocks, "block", "blocks")), doubt)
		}
		if c.Decides && c.Decision == verdict.Undecided {
			p.wrapped("", fmt.Sprintf("%s: inconclusive: %s", c.Name(), c.Reason), doubt)
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
		return none
	case metric == against.RSS:
		return mebibytes(int64(*x))
	}
	return duration(time.Duration(*x))
}

func ratioOf(i stats.Interval) string {
	switch {
	case i.N == 0:
		return none
	case i.Achieved == 0:
		return digits(i.Estimate)
	}
	return fmt.Sprintf("%s [%s, %s]", digits(i.Estimate), digits(i.Low), digits(i.High))
}

func (p *printer) countTable(counts []against.Count) {
	if len(counts) == 0 {
		return
	}
	p.line("")
	g := &grid{columns: []column{{title: "compared without a test"}, {title: "A", right: true}, {title: "B", right: true}, {title: "allowed", right: true}, {title: "verdict"}}}
	for _, c := range counts {
		g.add(c.What+", "+c.Variant, count(c.A), count(c.B), "A + "+fmt.Sprint(c.Allowed), p.word(c.Decision))
	}
	widths := g.widths()
	p.line(p.paint(g.line(g.titles(), widths), faint))
	for i, row := range g.rows {
		p.line(g.line(row, widths))
		if why := counts[i].Why; why != "" {
			p.wrapped("  ", why, doubt)
		}
	}
}

func (p *printer) achieved(v *against.Verdict) {
	for _, c := range v.Cells {
		if c.Decides && c.Achieved != nil {
			p.wrapped("", fmt.Sprintf("%s: with the noise of these pairs %s.", c.Name(), detectable(*c.Achieved)), faint)
		}
	}
}

// againstFacts say where and on what it ran.
func againstFacts(v *against.Verdict) *grid {
	g := &grid{columns: make([]column, 2)}
	g.add("gate", fmt.Sprintf("%s, seed %d", v.ID, v.Seed))
	if v.Records != "" {
		g.add("records", v.Records)
	}
	if e := v.Environment; e != nil {
		g.add("environment", fmt.Sprintf("%s: %s, %s", e.Kind, e.Database, e.Upstream))
	}
	m := v.Machine
	g.add("machine", fmt.Sprintf("%s, %s/%s", machineLine(m), m.OS, m.Arch))
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
	for _, row := range againstFacts(v).rows {
		p.hanging(fmt.Sprintf("%-*s%s", indent, row[0], row[1]))
	}
	for _, n := range slices.Concat(v.Notes, v.Remarks) {
		p.hanging(fmt.Sprintf("%-*s%s", indent, "note", n))
	}
}

func (p *printer) againstConclusion(v *against.Verdict) {
	if text := unmeasured(v); text != "" {
		p.wrapped("", "not measured: "+text, bad)
	}
	word, text := againstSummary(v)
	if text != "" {
		text = ": " + text
	}
	p.line(fmt.Sprintf("%s%s (exit code %d)", p.bold(p.paint(word, v.Decision.Tone())), text, v.Exit))
}

// againstSummary is "worse", "1 worse, 5 not worse".
func againstSummary(v *against.Verdict) (word, text string) {
	word = string(v.Decision)
	if v.Decision == verdict.Passed || v.Decision == verdict.Failed {
		word = verdict.Comparisons.Word(v.Decision).String()
	}
	if unmeasured(v) != "" {
		return word, ""
	}
	return word, counted(v.Tally())
}
