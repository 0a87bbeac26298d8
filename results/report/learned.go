package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"floodgate/mockupstream"
	"floodgate/mockupstream/learn"
	"floodgate/results/report/content"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Learned writes a learned profile for a person: the recording, the profile, the
// recorded figures beside those that the mock reproduces, and the verdict.
func Learned(w io.Writer, l *learn.Learned, o text.Options) error {
	p := text.NewPrinter(o, 60)
	p.Wrapped("", fmt.Sprintf("recorded %s to %s in %s, %s in flight on average and %d at most",
		text.Plural(l.Requests, "request", "requests"), l.Target, text.Duration(time.Duration(l.Seconds*float64(time.Second))),
		text.Digits(l.MeanInFlight), l.PeakInFlight), verdict.Plain)
	p.Line(p.Bold("profile written to " + l.File))
	p.Line("")
	facts := []struct{ name, format string }{
		{"latency", latencyText(&l.Profile.Latency)},
		{"body", bodyText(&l.Profile.Body)},
		{"faults", faultsText(l.Profile.Faults)},
	}
	if r := l.Profile.Rate; r != nil {
		facts = append(facts, struct{ name, format string }{"rate", fmt.Sprintf("%s requests per second, bursts of %d; above it 429", text.Digits(r.PerSecond), max(r.Burst, 1))})
	}
	for _, f := range facts {
		p.Fact(f.name, "%s", f.format)
	}
	for i, statement := range l.Explain() {
		p.Fact([]string{"capacity", "note"}[min(i, 1)], "%s", statement)
	}
	p.Line("")
	g := &text.Grid{Columns: []text.Column{{}, {Title: "recorded", Right: true}, {Title: "reproduced", Right: true}, {Title: "deviation", Right: true}, {}}}
	for _, row := range l.Fidelity.Rows {
		mark := p.Paint("✓", verdict.Good)
		switch {
		case row.Low == 0 && row.High == 0:
			mark = ""
		case !row.Within:
			mark = p.Paint("✗", verdict.Bad)
		}
		g.Add(row.Name, recordedFigure(row.Unit, row.Recorded), recordedFigure(row.Unit, row.Reproduced), deviation(row), mark)
	}
	p.Table(g)
	p.Line("")
	tone := verdict.Good
	if !l.Fidelity.Reproduced {
		tone = verdict.Doubt
	}
	p.Wrapped("", l.Fidelity.Verdict(), tone)
	return p.Flush(w, fmt.Sprintf("profile %q", l.File))
}

// LearnedJSON writes a learned profile, indented, with a newline at its end.
func LearnedJSON(w io.Writer, l *learn.Learned) error {
	return content.WriteJSON(w, l, fmt.Sprintf("profile %q", l.File))
}

func latencyText(d *mockupstream.Distribution) string {
	at := func(u float64) string { return text.Duration(d.Quantile(u)) }
	return fmt.Sprintf("%s: p50 %s, p95 %s, p99 %s", d.Kind, at(0.50), at(0.95), at(0.99))
}

func bodyText(b *mockupstream.Body) string {
	if b.Min == b.Max {
		return text.Plural(b.Min, "record", "records")
	}
	kind := b.Kind
	if kind == "" {
		kind = "uniform"
	}
	return fmt.Sprintf("%s: %s to %s records, median %s", kind, text.Count(b.Min), text.Count(b.Max), text.Count(b.Quantile(0.5)))
}

func faultsText(faults []mockupstream.Fault) string {
	if len(faults) == 0 {
		return "none"
	}
	var texts []string
	for _, f := range faults {
		name := f.Kind
		if f.Status != 0 {
			name += fmt.Sprintf(" %d", f.Status)
		}
		texts = append(texts, name+" "+text.Percent(f.Probability))
	}
	return strings.Join(texts, ", ")
}

// recordedFigure formats a value in its unit.
func recordedFigure(unit learn.Unit, value float64) string {
	switch unit {
	case learn.Nanoseconds:
		return text.Duration(time.Duration(value))
	case learn.Share:
		return text.Percent(value)
	case learn.Bytes:
		return text.Count(int64(value)) + " B"
	case learn.Requests:
	}
	return text.Digits(value)
}

// deviation formats by how much a reproduced figure deviates.
func deviation(row learn.Row) string {
	unit := " %"
	if row.Unit == learn.Share {
		unit = " points"
	}
	points := text.Points(row.Deviation())
	if row.Deviation() > 0 && points != "0.0" {
		points = "+" + points
	}
	return points + unit
}
