package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/history"
	"floodgate/results/report/content"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Runs writes the stored runs for a terminal, newest first.
func Runs(w io.Writer, runs []results.Listed, o text.Options) error {
	p := newPrinter(o)
	g := &text.Grid{Columns: []text.Column{
		{Title: "run"}, {Title: "started", Drop: 2}, {Title: "scenario"}, {Title: "environment", Drop: 1}, {Title: "trials", Right: true}, {Title: ""},
	}}
	for _, r := range newestFirst(runs) {
		if r.Err != nil {
			g.Add(r.ID, "", "", "", "", p.Paint("unreadable", verdict.Bad))
			continue
		}
		h, state := r.Header, p.Paint("complete", verdict.Good)
		trials := fmt.Sprintf("%d/%d", r.Trials, h.Planned)
		switch {
		case h.Search: // whose number of trials is not known in advance
			trials, state = text.Count(r.Trials), "plan"
		case r.Complete && h.Repeat != nil: // whose number of trials was not known before
			trials = text.Count(r.Trials)
		case !r.Complete:
			state = p.Paint("unfinished", verdict.Doubt)
		}
		if h.Shard != nil {
			state += ", " + h.Shard.String()
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
			p.Wrapped("", r.Err.Error(), verdict.Bad)
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
	// Shard names the shards that the record holds; nil means all.
	Shard *results.Shard `json:"shard,omitempty"`
	Error string         `json:"error,omitempty"`
}

// RunsJSON writes the stored runs as a JSON array, newest first.
func RunsJSON(w io.Writer, runs []results.Listed) error {
	all := make([]listedRun, 0, len(runs))
	for _, r := range newestFirst(runs) {
		l := listedRun{ID: r.ID, Folder: r.Dir, Trials: r.Trials, Complete: r.Complete}
		if h := r.Header; r.Err != nil {
			l.Error = r.Err.Error()
		} else {
			l.Scenario, l.Quick, l.Started, l.Environment, l.Planned = h.ScenarioName, h.Quick, &h.Started, h.Environment.Kind, h.Planned
			l.Shard = h.Shard
		}
		all = append(all, l)
	}
	return content.WriteJSON(w, all, "list of runs")
}

// History writes the changes over stored runs for a terminal: a table per metric
// with one bar per run, and the changes below their rows.
func History(w io.Writer, h *history.History, o text.Options) error {
	p := newPrinter(o)
	for i, g := range h.Groups {
		if i > 0 {
			p.Line("")
		}
		p.group(g, h.Level)
	}
	if len(h.Omitted) > 0 {
		p.Line("")
		p.Line(p.Bold("omitted"))
		for _, l := range h.Omitted {
			p.Wrapped("  ", l.Run+": "+l.Why, verdict.Doubt)
		}
	}
	return p.Flush(w, "history")
}

// HistoryJSON writes a history, indented, with a newline at its end.
func HistoryJSON(w io.Writer, h *history.History) error {
	return content.WriteJSON(w, h, "history")
}

func (p *printer) group(g history.Group, level float64) {
	p.Line(p.Bold(content.HistoryName(g)))
	p.Wrapped("", content.HistoryPlace(g), "")
	if len(g.Runs) == 1 {
		p.Wrapped("", "1 run, no other run to compare it with: "+content.HistoryRun(g.Runs[0]), "")
		return
	}
	p.Wrapped("", content.HistorySpan(g), "")
	if len(g.Notes) > 0 {
		p.Wrapped("", "the runs differ ("+strings.Join(g.Notes, "; ")+")", verdict.Doubt)
	}
	few := content.HistoryFew(g, level)
	if few != "" {
		p.Wrapped("", few, verdict.Doubt)
	}
	for _, metric := range history.Metrics() {
		p.metric(g, metric)
	}
	if few == "" {
		p.Line("")
		p.Wrapped("", content.HistoryChance(len(g.Series), level), verdict.Faint)
	}
}

// metric writes the table of one metric, or one line if it has the same value always.
func (p *printer) metric(g history.Group, metric string) {
	series := slices.DeleteFunc(slices.Clone(g.Series), func(s history.Series) bool { return s.Metric != metric })
	if len(series) == 0 {
		return
	}
	p.Line("")
	if value, ok := always(series); ok {
		p.Line(p.Bold(metric) + "  " + content.HistoryFigure(metric, value) + " in all runs")
		return
	}
	zero := 0
	if metric == history.Errors { // of most variants there are none ever
		all := len(series)
		series = slices.DeleteFunc(series, func(s history.Series) bool { return !nonzero(s) })
		zero = all - len(series)
	}
	table := &text.Grid{Columns: []text.Column{{}, {}, {Title: "span", Right: true, Drop: 1}, {Right: true}}}
	for _, s := range series {
		low, high := bounds(s.Values)
		words := content.HistoryFigure(metric, low)
		if to := content.HistoryFigure(metric, high); to != words {
			words += "–" + to
		}
		table.Add(s.Variant, cmp.Or(s.Label, s.Level), words, "")
	}
	table.Fit(p.Width - 2 - min(len(g.Runs), minBars))
	drawn := min(len(g.Runs), max(p.Width-2-table.Width(), 1))
	for i, s := range series {
		cells := table.Rows[i]
		cells[len(cells)-1] = bars(s.Values, drawn)
	}
	title := p.Bold(metric)
	if drawn < len(g.Runs) {
		title += p.Paint(fmt.Sprintf("  (bars of the newest %d runs)", drawn), verdict.Faint)
	}
	p.Line(title)
	lines := table.Lines()
	for i, s := range series {
		p.Line("  " + lines[i])
		for _, c := range s.Changes {
			p.change(g, s, c)
		}
	}
	if zero > 0 {
		p.Line(p.Paint("  0 in all runs of the other variants", verdict.Faint))
	}
}

// minBars is the minimum number of bars: for fewer, the column with the range of
// the values is omitted.
const minBars = 20

func (p *printer) change(g history.Group, s history.Series, c history.Change) {
	p.Line("      " + p.Paint(content.HistoryChange(s.Metric, c), verdict.Doubt))
	p.Wrapped("        ", "after "+content.HistoryRun(g.Runs[c.After]), "")
	p.Wrapped("        ", "with  "+content.HistoryRun(g.Runs[c.First]), "")
}

// always returns the value that all values of the series are.
func always(series []history.Series) (value float64, ok bool) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range series {
		from, to := bounds(s.Values)
		low, high = min(low, from), max(high, to)
	}
	return low, low == high
}

func nonzero(s history.Series) bool {
	return slices.ContainsFunc(s.Values, func(v *float64) bool { return v != nil && *v != 0 })
}

// bounds returns the smallest and the largest of the known values.
func bounds(values []*float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v != nil {
			low, high = min(low, *v), max(high, *v)
		}
	}
	return low, high
}

// flat is the smallest range of the bars, as a share of the value, so that noise
// does not fill their height.
const flat = 0.1

// bars draws one bar per run, or those of the newest runs if there is not enough
// room, and "·" for a run without a value. The lowest bar is the smallest value
// drawn.
func bars(values []*float64, room int) string {
	const heights = "▁▂▃▄▅▆▇█"
	steps := []rune(heights)
	values = values[max(0, len(values)-max(room, 1)):]
	low, high := bounds(values)
	height := max(high-low, flat*max(math.Abs(low), math.Abs(high)))
	var b strings.Builder
	for _, v := range values {
		switch {
		case v == nil:
			b.WriteRune('·')
		case height == 0:
			b.WriteRune(steps[0])
		default:
			b.WriteRune(steps[int(min((*v-low)/height*float64(len(steps)), float64(len(steps)-1)))])
		}
	}
	return b.String()
}
