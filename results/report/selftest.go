package report

import (
	"fmt"
	"io"
	"time"

	"floodgate/results/against"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// SelfTest writes what gates can detect on this machine, for a person.
func SelfTest(w io.Writer, s *against.SelfTested, o Options) error {
	if o.Width == 0 {
		o.Width = 100
	}
	p := &printer{width: max(o.Width, 80), color: o.Color}
	p.line(p.bold("what a gate detects on this machine, now"))
	p.wrapped("", fmt.Sprintf("Blocks of six trials for %s: %s. Every gate has pairs of its own: at most %d, on average those shown; margin %s. Rates have exact 95 %% intervals.",
		s.Time, plural(s.Blocks, "block", "blocks"), s.Design.At[len(s.Design.At)-1], trimmedPercent(s.Design.Margin)), "")
	p.line("")
	g := &grid{columns: []column{{title: "planted in B"}, {title: "gates", right: true}, {title: "worse", right: true}, {title: "rate [95 %]", right: true},
		{title: "pairs", right: true}, {title: "B ÷ A", right: true}, {title: "resampled", right: true}}}
	for _, r := range s.Rows {
		each := none
		if r.Gates > 0 {
			each = fmt.Sprintf("%.1f", r.PairsEach)
		}
		g.add(r.Treatment, count(r.Gates), count(r.Worse), rateOf(r.Rate), each, ratioCellOf(r.Ratio), shareOf(r.Resampled))
	}
	widths := g.widths()
	p.line(p.paint(g.line(g.titles(), widths), faint))
	for _, row := range g.rows {
		p.line(g.line(row, widths))
	}
	p.wrapped("", "Resampled: gates on pairs that are drawn again from the measured ones; it decides nothing.", faint)
	p.line("")
	for _, text := range s.Sentences() {
		p.wrapped("", text, "")
	}
	if s.Unmeasured > 0 {
		p.wrapped("", plural(s.Unmeasured, "trial", "trials")+" could not be measured, or not be believed.", doubt)
	}
	p.line("")
	m := s.Machine
	p.hanging(fmt.Sprintf("%-*s%s", indent, "machine", fmt.Sprintf("%s, %s/%s", machineLine(m), m.OS, m.Arch)))
	p.hanging(fmt.Sprintf("%-*s%s", indent, "self-test", fmt.Sprintf("%s, seed %d, took %s", s.ID, s.Seed, s.Took.Round(time.Second))))
	if s.Records != "" {
		p.hanging(fmt.Sprintf("%-*s%s", indent, "records", s.Records))
	}
	p.line("")
	why := map[verdict.Decision]string{
		verdict.Passed: "no more false alarms than the design allows, and no count missed",
		verdict.Failed: "false alarms, or a count missed", verdict.Inconclusive: "too little time for some gates",
	}[s.Decision]
	p.line(fmt.Sprintf("%s: %s (exit code %d)", p.concluded(s.Decision), why, s.Exit))
	if _, err := w.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("write self-test %s: %w", s.ID, err)
	}
	return nil
}

// SelfTestJSON writes it with all its figures.
func SelfTestJSON(w io.Writer, s *against.SelfTested) error {
	return writeJSON(w, s, fmt.Sprintf("self-test %s", s.ID))
}

func rateOf(i *stats.Interval) string {
	if i == nil {
		return none
	}
	return fmt.Sprintf("%.3g %% [%.3g, %.3g]", 100*i.Estimate, 100*i.Low, 100*i.High)
}

func ratioCellOf(x *float64) string {
	if x == nil {
		return none
	}
	return digits(*x)
}

func shareOf(x *float64) string {
	if x == nil {
		return none
	}
	return fmt.Sprintf("%.3g %%", 100**x)
}
