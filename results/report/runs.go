package report

import (
	"fmt"
	"io"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/report/text"
)

// Runs lists stored runs for a person, newest first.
func Runs(w io.Writer, runs []results.Listed, o text.Options) error {
	p := &printer{Printer: text.NewPrinter(o, 80)}
	g := &text.Grid{Columns: []text.Column{
		{Title: "run"}, {Title: "started", Drop: 2}, {Title: "scenario"}, {Title: "environment", Drop: 1}, {Title: "trials", Right: true}, {Title: ""},
	}}
	for _, r := range newestFirst(runs) {
		if r.Err != nil {
			g.Add(r.ID, "", "", "", "", p.Paint("unreadable", bad))
			continue
		}
		h, state := r.Header, p.Paint("complete", good)
		trials := fmt.Sprintf("%d/%d", r.Trials, h.Planned)
		switch {
		case h.Plan: // of which nobody knows beforehand how many it takes
			trials, state = text.Count(r.Trials), "plan"
		case !r.Complete:
			state = p.Paint("unfinished", doubt)
		}
		name := h.ScenarioName
		if h.Quick {
			name += " (quick)"
		}
		g.Add(r.ID, h.Started.UTC().Format(time.DateTime), name, h.Environment.Kind, trials, state)
	}
	g.Fit(p.Width)
	widths := g.Widths()
	p.Titles(g, widths)
	for _, cells := range g.Rows {
		p.Line(g.Line(cells, widths))
	}
	for _, r := range newestFirst(runs) {
		if r.Err != nil {
			p.Wrapped("", r.Err.Error(), bad)
		}
	}
	return p.Flush(w, "list of runs")
}

func newestFirst(runs []results.Listed) []results.Listed {
	runs = slices.Clone(runs)
	slices.Reverse(runs)
	return runs
}

// listedRun is one line of [RunsJSON].
type listedRun struct {
	ID          string     `json:"id"`
	Folder      string     `json:"folder"`
	Scenario    string     `json:"scenario,omitempty"`
	Quick       bool       `json:"quick,omitempty"`
	Started     *time.Time `json:"started,omitempty"`
	Environment string     `json:"environment,omitempty"`
	Trials      int        `json:"trials"`
	Planned     int        `json:"planned"`
	Complete    bool       `json:"complete"`
	Error       string     `json:"error,omitempty"`
}

// RunsJSON lists stored runs as a JSON array, newest first.
func RunsJSON(w io.Writer, runs []results.Listed) error {
	all := make([]listedRun, 0, len(runs))
	for _, r := range newestFirst(runs) {
		l := listedRun{ID: r.ID, Folder: r.Dir, Trials: r.Trials, Complete: r.Complete}
		if h := r.Header; r.Err != nil {
			l.Error = r.Err.Error()
		} else {
			l.Scenario, l.Quick, l.Started, l.Environment, l.Planned = h.ScenarioName, h.Quick, &h.Started, h.Environment.Kind, h.Planned
		}
		all = append(all, l)
	}
	return writeJSON(w, all, "list of runs")
}
