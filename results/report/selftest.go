package report

import (
	"fmt"
	"io"
	"time"

	"floodgate/results/against"
	"floodgate/results/report/text"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// SelfTest writes what gates can detect on this machine, for a person.
func SelfTest(w io.Writer, s *against.SelfTested, o text.Options) error {
	p := &printer{Printer: text.NewPrinter(o, 80)}
	p.Line(p.Bold("what a gate detects on this machine, now"))
	p.Wrapped("", fmt.Sprintf("Blocks of six trials for %s: %s. Every gate has pairs of its own: at most %d, on average those shown; margin %s. Rates have exact 95 %% intervals.",
		s.Time, text.Plural(s.Blocks, "block", "blocks"), s.Design.At[len(s.Design.At)-1], trimmedPercent(s.Design.Margin)), "")
	p.Line("")
	g := &text.Grid{Columns: []text.Column{{Title: "planted in B"}, {Title: "gates", Right: true}, {Title: "worse", Right: true}, {Title: "rate [95 %]", Right: true},
		{Title: "pairs", Right: true}, {Title: "B ÷ A", Right: true}, {Title: "resampled", Right: true}}}
	for _, r := range s.Rows {
		each := text.None
		if r.Gates > 0 {
			each = fmt.Sprintf("%.1f", r.PairsEach)
		}
		g.Add(r.Treatment, text.Count(r.Gates), text.Count(r.Worse), rateOf(r.Rate), each, ratioCellOf(r.Ratio), shareOf(r.Resampled))
	}
	p.Table(g)
	p.Wrapped("", "Resampled: gates on pairs that are drawn again from the measured ones; it decides nothing.", faint)
	p.Line("")
	for _, words := range s.Sentences() {
		p.Wrapped("", words, "")
	}
	if s.Unmeasured > 0 {
		p.Wrapped("", text.Plural(s.Unmeasured, "trial", "trials")+" could not be measured, or not be believed.", doubt)
	}
	p.Line("")
	m := s.Machine
	p.hanging(fmt.Sprintf("%-*s%s", indent, "machine", fmt.Sprintf("%s, %s/%s", machineLine(m), m.OS, m.Arch)))
	p.hanging(fmt.Sprintf("%-*s%s", indent, "self-test", fmt.Sprintf("%s, seed %d, took %s", s.ID, s.Seed, s.Took.Round(time.Second))))
	if s.Records != "" {
		p.hanging(fmt.Sprintf("%-*s%s", indent, "records", s.Records))
	}
	p.Line("")
	why := map[verdict.Decision]string{
		verdict.Passed: "no more false alarms than the design allows, and no count missed",
		verdict.Failed: "false alarms, or a count missed", verdict.Inconclusive: "too little time for some gates",
	}[s.Decision]
	p.Line(fmt.Sprintf("%s: %s (exit code %d)", p.concluded(s.Decision), why, s.Exit))
	return p.Flush(w, fmt.Sprintf("self-test %s", s.ID))
}

// SelfTestJSON writes it with all its figures.
func SelfTestJSON(w io.Writer, s *against.SelfTested) error {
	return writeJSON(w, s, fmt.Sprintf("self-test %s", s.ID))
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
