package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"floodgate/results/pairs"
	"floodgate/results/report/content"
	"floodgate/results/stats"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Pairs writes the verdict on two programs that ran alternately for a terminal.
func Pairs(w io.Writer, v *pairs.Outcome, o text.Options) error {
	p := newPrinter(o)
	if v.Scenario != "" {
		p.Line(p.Bold(v.Scenario))
	}
	p.Wrapped("", "A  "+content.PairsSide(v.A), "")
	p.Wrapped("", "B  "+content.PairsSide(v.B), "")
	p.Line("")
	for _, words := range content.EstimatedPower(v) {
		p.Wrapped("", words, verdict.Faint)
	}
	p.analysisTable(v)
	p.countTable(v.Counts)
	p.Line("")
	for _, words := range content.Movements(v) {
		p.Wrapped("", words, "")
	}
	p.achieved(v)
	p.ran(v)
	p.Line("")
	p.pairsConclusion(v)
	return p.Flush(w, fmt.Sprintf("verdict %s", v.ID))
}

// PairsJSON writes the verdict with all its figures.
func PairsJSON(w io.Writer, v *pairs.Outcome) error {
	return content.WriteJSON(w, v, fmt.Sprintf("verdict %s", v.ID))
}

func (p *printer) analysisTable(v *pairs.Outcome) {
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
	g := &text.Grid{Columns: []text.Column{{Title: "metric"}, {Title: "pairs", Right: true}, {Title: "interim", Right: true, Drop: 1},
		{Title: "A", Right: true}, {Title: "B", Right: true}, {Title: title, Right: true}, {Title: "margin", Right: true}, {Title: "verdict"}}}
	for _, c := range v.Cells {
		limit, word := fmt.Sprintf("≤ %.4g", 1+v.Design.Margin), p.word(c.Decision)
		if !c.Decides {
			limit, word = "", p.Paint("info only", verdict.Faint)
		}
		g.Add(figureOf(c), fmt.Sprint(c.Pairs), content.PairsInterim(c, v.PerTest()), content.PairsValue(c.Metric, c.A), content.PairsValue(c.Metric, c.B), content.PairsRatio(c.Ratio), limit, word)
	}
	if !slices.ContainsFunc(v.Cells, func(c pairs.Cell) bool { return c.Pairs > 0 }) {
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
			p.Wrapped("", fmt.Sprintf("%s: no pair because of %s: %s", c.Name(), m.Why, text.Plural(m.Blocks, "block", "blocks")), verdict.Doubt)
		}
		if c.Decides && c.Decision == verdict.Undecided {
			p.Wrapped("", fmt.Sprintf("%s: inconclusive: %s", c.Name(), c.Reason), verdict.Doubt)
		}
	}
}

func figureOf(c pairs.Cell) string {
	switch {
	case c.Variant == "":
		return c.Metric
	case c.Metric == pairs.Makespan:
		return c.Variant
	}
	return c.Metric + ", " + c.Variant
}

func (p *printer) countTable(counts []pairs.Count) {
	if len(counts) == 0 {
		return
	}
	p.Line("")
	g := &text.Grid{Columns: []text.Column{{Title: "exact counts"}, {Title: "A", Right: true}, {Title: "B", Right: true}, {Title: "allowed", Right: true}, {Title: "verdict"}}}
	for _, c := range counts {
		g.Add(c.What+", "+c.Variant, text.Count(c.A), text.Count(c.B), content.PairsAllowed(c), p.word(c.Decision))
	}
	widths := g.Widths()
	p.Titles(g, widths)
	for i, row := range g.Rows {
		p.Line(g.Line(row, widths))
		if why := counts[i].Why; why != "" {
			p.Wrapped("  ", why, verdict.Doubt)
		}
	}
}

func (p *printer) achieved(v *pairs.Outcome) {
	for _, c := range v.Cells {
		if c.Decides && c.Achieved != nil {
			p.Wrapped("", fmt.Sprintf("%s: achieved power: %s, with the noise of these pairs.", c.Name(), content.Detectable(*c.Achieved)), verdict.Faint)
		}
	}
}

func (p *printer) ran(v *pairs.Outcome) {
	for _, row := range content.PairsFacts(v).Rows {
		p.Fact(row[0], "%s", row[1])
	}
	for _, n := range slices.Concat(v.Notes, v.Remarks) {
		p.Fact("note", "%s", n)
	}
}

func (p *printer) pairsConclusion(v *pairs.Outcome) {
	if words := content.PairsUnmeasured(v); words != "" {
		p.Wrapped("", "not measured: "+words, verdict.Bad)
	}
	word, words := content.PairsSummary(v)
	if words != "" {
		words = ": " + words
	}
	p.Line(fmt.Sprintf("%s%s (exit code %d)", p.Bold(p.Paint(word, v.Decision.Tone())), words, v.Exit))
}

// SelfTest writes what gates can detect on this machine for a terminal.
func SelfTest(w io.Writer, s *pairs.SelfTestOutcome, o text.Options) error {
	p := newPrinter(o)
	p.Line(p.Bold("detection rates of gates on this machine"))
	p.Wrapped("", fmt.Sprintf("Blocks of six trials in %s: %s. Every gate uses its own pairs, at most %d; the table shows the average. Margin: %s. Rates have exact 95 %% intervals.",
		s.Time, text.Plural(s.Blocks, "block", "blocks"), s.Design.At[len(s.Design.At)-1], content.TrimmedPercent(s.Design.Margin)), "")
	p.Line("")
	g := &text.Grid{Columns: []text.Column{{Title: "injected into B"}, {Title: "gates", Right: true}, {Title: "worse", Right: true}, {Title: "rate [95 %]", Right: true},
		{Title: "pairs", Right: true}, {Title: "B ÷ A", Right: true}, {Title: "resampled", Right: true}}}
	for _, r := range s.Rows {
		each := text.None
		if r.Gates > 0 {
			each = fmt.Sprintf("%.1f", r.PairsEach)
		}
		g.Add(r.Treatment, text.Count(r.Gates), text.Count(r.Worse), rateOf(r.Rate), each, ratioCellOf(r.Ratio), shareOf(r.Resampled))
	}
	p.Table(g)
	p.Wrapped("", "Resampled: gates on pairs resampled from the measured ones, for information only.", verdict.Faint)
	p.Line("")
	for _, words := range s.Sentences() {
		p.Wrapped("", words, "")
	}
	if s.Unmeasured > 0 {
		p.Wrapped("", text.Plural(s.Unmeasured, "trial", "trials")+" could not be measured or were invalid.", verdict.Doubt)
	}
	p.Line("")
	m := s.Machine
	p.Fact("machine", "%s, %s/%s", content.MachineLine(m), m.OS, m.Arch)
	if l := s.Load; l != nil {
		p.Fact("load", "average %.2g when it began; other programs used %s of the cores' time, other virtual machines %s", l.Average, percentOf(l.Others), percentOf(l.Stolen))
	}
	if len(s.TrialSpread) > 0 {
		p.Fact("A/A spread", "%s", spreadOf(s.TrialSpread))
	}
	p.Fact("self-test", "%s, seed %d, took %s", s.ID, s.Seed, s.Took.Round(time.Second))
	if s.Records != "" {
		p.Fact("records", "%s", s.Records)
	}
	p.Line("")
	why := map[verdict.Decision]string{
		verdict.Passed: "no more false alarms than the design allows, and no missed count",
		verdict.Failed: "false alarms or a missed count", verdict.Inconclusive: "too little time for some gates",
	}[s.Decision]
	p.Line(fmt.Sprintf("%s: %s (exit code %d)", p.concluded(s.Decision), why, s.Exit))
	return p.Flush(w, fmt.Sprintf("self-test %s", s.ID))
}

// SelfTestJSON writes the self-test with all its figures.
func SelfTestJSON(w io.Writer, s *pairs.SelfTestOutcome) error {
	return content.WriteJSON(w, s, fmt.Sprintf("self-test %s", s.ID))
}

// spreadOf returns "CPU time 4.2 %, makespan 1.3 %".
func spreadOf(spread map[string]float64) string {
	var all []string
	for _, metric := range slices.Sorted(maps.Keys(spread)) {
		all = append(all, metric+" "+percentOf(spread[metric]))
	}
	return strings.Join(all, ", ")
}

// percentOf formats a share with two digits.
func percentOf(share float64) string { return fmt.Sprintf("%.2g %%", 100*share) }

// SelfTestSeries writes a series of self-tests for a terminal: a row for each, and the rates
// of all together.
func SelfTestSeries(w io.Writer, s *pairs.SelfTestSeries, o text.Options) error {
	p := newPrinter(o)
	p.Line(p.Bold("self-tests of gates: " + text.Plural(len(s.Tests), "test", "tests")))
	if len(s.Tests) == 0 {
		p.Wrapped("", "The file has no self-test yet; floodgate gate selftest --append FILE adds one.", "")
		return p.Flush(w, "series of self-tests")
	}
	p.Wrapped("", "The gates that called B worse, of all gates: nothing injected (A/A), more latency, nothing by count, 20 descriptors, one lost write. Others: the share of the cores' time that other programs used. Spread: the standard deviation of the ratio of two makespans of the same program.", "")
	p.Line("")
	g := &text.Grid{Columns: []text.Column{{Title: "date"}, {Title: "time", Right: true}, {Title: "others", Right: true}, {Title: "spread", Right: true}}}
	for _, title := range []string{"A/A", "+5 %", "+10 %", "count", "20 FDs", "lost"} {
		g.Columns = append(g.Columns, text.Column{Title: title, Right: true})
	}
	found := func(r *pairs.SelfTest) string {
		if r == nil {
			return text.None
		}
		return fmt.Sprintf("%d/%d", r.Worse, r.Gates)
	}
	for i := range s.Tests {
		t := &s.Tests[i]
		others, spread := text.None, text.None
		if t.Load != nil {
			others = percentOf(t.Load.Others)
		}
		if sd, ok := t.TrialSpread["makespan"]; ok {
			spread = percentOf(sd)
		}
		row := []string{t.Started.UTC().Format(time.DateOnly), text.About(t.Took), others, spread}
		for _, treatment := range pairs.Treatments() {
			row = append(row, found(t.Row(treatment)))
		}
		g.Add(row...)
	}
	p.Table(g)
	p.Line("")
	all := &text.Grid{Columns: []text.Column{{Title: "all tests"}, {Title: "gates", Right: true}, {Title: "worse", Right: true}, {Title: "rate [95 %]", Right: true}}}
	for _, r := range s.Pooled {
		all.Add(r.Treatment, text.Count(r.Gates), text.Count(r.Worse), rateOf(r.Rate))
	}
	p.Table(all)
	p.Line("")
	for _, machine := range machinesOf(s.Tests) {
		p.Fact("machine", "%s", machine)
	}
	return p.Flush(w, "series of self-tests")
}

// machinesOf returns the machines of the tests, each once.
func machinesOf(tests []pairs.SelfTestOutcome) (all []string) {
	for _, t := range tests {
		m := t.Machine
		line := fmt.Sprintf("%s, %s/%s", content.MachineLine(m), m.OS, m.Arch)
		for _, version := range []string{m.Kernel, m.Go} {
			if version != "" {
				line += ", " + version
			}
		}
		if !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}

// SelfTestSeriesJSON writes a series with all its figures.
func SelfTestSeriesJSON(w io.Writer, s *pairs.SelfTestSeries) error {
	return content.WriteJSON(w, s, "series of self-tests")
}

func rateOf(i *stats.Interval) string {
	if i == nil {
		return text.None
	}
	return fmt.Sprintf("%.3g %% [%.3g, %.3g]", 100*i.Estimate, 100*i.Low, 100*i.High)
}

func ratioCellOf(x *float64) string {
	if x == nil {
		return text.None
	}
	return text.Digits(*x)
}

func shareOf(x *float64) string {
	if x == nil {
		return text.None
	}
	return fmt.Sprintf("%.3g %%", 100**x)
}
