// Package report renders runs, comparisons, plans and gates for a terminal, as
// JSON, and as Go benchmark text that benchstat reads:
//
//	report.Terminal(os.Stdout, run, outcome, text.Options{Width: 80})
//
// It decides nothing: decisions are in the outcomes that it is given. A value
// that is unavailable is shown as "—", never as 0.
//
// Package content holds the tables and sentences that all formats share, package
// html renders pages, and package ci renders the formats of CI servers.
package report

import (
	"floodgate/results/report/content"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// printer writes a report for a terminal.
type printer struct{ content.Run }

// word returns a decision in the color of its tone.
func (p *printer) word(w verdict.Word) string { return p.Paint(w.String(), w.Tone()) }

// concluded returns the decision on the whole for the last line.
func (p *printer) concluded(d verdict.Decision) string { return p.Bold(p.Paint(string(d), d.Tone())) }

func newPrinter(o text.Options) *printer {
	return &printer{content.Run{Printer: text.NewPrinter(o, 80)}}
}
