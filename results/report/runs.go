package report

import (
	"fmt"
	"io"
	"slices"
	"time"

	"floodgate/results"
)

// Runs lists stored runs for a person, newest first.
func Runs(w io.Writer, runs []results.Listed, o Options) error {
	if o.Width == 0 {
		o.Width = 100
	}
	p := &printer{width: max(o.Width, 80), color: o.Color}
	g := &grid{columns: []column{
		{title: "run"}, {title: "started", drop: 2}, {title: "scenario"}, {title: "environment", drop: 1}, {title: "trials", right: true}, {title: ""},
	}}
	for _, r := range newestFirst(runs) {
		if r.Err != nil {
			g.add(r.ID, "", "", "", "", p.paint("unreadable", bad))
			continue
		}
		h, state := r.Header, p.paint("complete", good)
		trials := fmt.Sprintf("%d/%d", r.Trials, h.Planned)
		switch {
		case h.Plan: // of which nobody knows beforehand how many it takes
			trials, state = count(r.Trials), "plan"
		case !r.Complete:
			state = p.paint("unfinished", doubt)
		}
		name := h.ScenarioName
		if h.Quick {
			name += " (quick)"
		}
		g.add(r.ID, h.Started.UTC().Format(time.DateTime), name, h.Environment.Kind, trials, state)
	}
	g.fit(p.width)
	widths := g.widths()
	p.line(p.paint(g.line(g.titles(), widths), faint))
	for _, cells := range g.rows {
		p.line(g.line(cells, widths))
	}
	for _, r := range newestFirst(runs) {
		if r.Err != nil {
			p.wrapped("", r.Err.Error(), bad)
		}
	}
	if _, err := w.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("write list of runs: %w", err)
	}
	return nil
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
