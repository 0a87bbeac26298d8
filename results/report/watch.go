package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"floodgate/results/report/content"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/results/watched"
)

// Watch writes what was seen of a watched process, and the verdict, for a person.
func Watch(w io.Writer, watch *watched.Watch, outcome *watched.Outcome, o text.Options) error {
	p := &content.Watch{Printer: text.NewPrinter(o, 80), Watch: watch, Outcome: outcome}
	p.Line(p.Bold(p.Title()))
	for _, fact := range p.Figures() {
		p.Fact(fact[0], "%s", fact[1])
	}
	if g := p.Grid(); len(g.Rows) > 0 {
		p.Line("")
		dropped := g.Fit(p.Width)
		p.Table(g)
		p.NotShown(dropped)
	}
	p.Line("")
	for _, note := range outcome.Notes {
		p.Wrapped("", "note: "+note, verdict.Faint)
	}
	p.Wrapped("", p.Verdict()+": "+outcome.Statement, outcome.Decision.Tone())
	return p.Flush(w, fmt.Sprintf("watch %q", outcome.ID))
}

// WatchJSON writes the verdict on a watched process, indented.
func WatchJSON(w io.Writer, outcome *watched.Outcome) error {
	return content.WriteJSON(w, outcome, fmt.Sprintf("watch %q", outcome.ID))
}

// Watches lists stored watches for a person, newest first.
func Watches(w io.Writer, watches []watched.Listed, o text.Options) error {
	p := newPrinter(o)
	g := &text.Grid{Columns: []text.Column{
		{Title: "watch"}, {Title: "started", Drop: 1}, {Title: "process"}, {Title: "samples", Right: true}, {Title: "ended", Drop: 2},
	}}
	for _, listed := range slices.Backward(watches) {
		if listed.Err != nil {
			g.Add(listed.ID, "", p.Paint("unreadable", verdict.Bad), "", "")
			continue
		}
		h := listed.Watch.Header
		g.Add(listed.ID, h.Started.UTC().Format(time.DateTime), h.Process.String(), text.Count(len(listed.Watch.Samples)), cmp.Or(string(listed.Watch.End), text.None))
	}
	g.Fit(p.Width)
	p.Table(g)
	for _, listed := range watches {
		if listed.Err != nil {
			p.Wrapped("", listed.Err.Error(), verdict.Bad)
		}
	}
	return p.Flush(w, "list of watches")
}
