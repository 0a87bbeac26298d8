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
)

// History writes what stored runs of scenarios show over time, for a person: a
// table a metric with a bar a run, and below a row where it changed.
func History(w io.Writer, h *history.History, o Options) error {
	if o.Width == 0 {
		o.Width = 100
	}
	p := &printer{width: max(o.Width, 80), color: o.Color}
	for i, g := range h.Groups {
		if i > 0 {
			p.line("")
		}
		p.group(g, h.Level)
	}
	if len(h.Left) > 0 {
		p.line("")
		p.line(p.bold("left out"))
		for _, l := range h.Left {
			p.wrapped("  ", l.Run+": "+l.Why, doubt)
		}
	}
	if _, err := w.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

// HistoryJSON writes a history, indented, with a newline at its end.
func HistoryJSON(w io.Writer, h *history.History) error {
	return writeJSON(w, h, "history")
}

func (p *printer) group(g history.Group, level float64) {
	name := g.Scenario
	if g.Quick {
		name += " (quick)"
	}
	first, last := g.Runs[0], g.Runs[len(g.Runs)-1]
	p.line(p.bold(name))
	p.wrapped("", fmt.Sprintf("scenario %s, %s, on %s, %s%s, %d GiB, %s/%s", abbreviated(g.Design), g.Environment,
		g.Machine.CPU, plural(g.Machine.Cores, "core", "cores"), processors(results.Processors(g.Machine.GOMAXPROCS, g.Machine.CPUQuota)), g.Machine.Memory, g.Machine.OS, g.Machine.Arch), "")
	if len(g.Runs) == 1 {
		p.wrapped("", "1 run, nothing to compare it with: "+runLine(first), "")
		return
	}
	from, to := first.Started.UTC().Format(time.DateOnly), last.Started.UTC().Format(time.DateOnly)
	runs := fmt.Sprintf("%s, %s to %s", plural(len(g.Runs), "run", "runs"), from, to)
	if g.Older > 0 {
		runs += fmt.Sprintf("; %s left out for their number", plural(g.Older, "older one", "older ones"))
	}
	p.wrapped("", runs, "")
	if len(g.Runs) < g.Needed {
		p.wrapped("", fmt.Sprintf("too few to tell a change: with fewer than %d runs none can be seen at the level %g %%", g.Needed, 100*level), doubt)
	}
	for _, metric := range history.Metrics() {
		p.metric(g, metric)
	}
	if len(g.Runs) >= g.Needed {
		p.line("")
		n := len(g.Series)
		p.wrapped("", fmt.Sprintf("%s looked at, each at the level %g %%: by chance alone about %.2g would show a change. Runs of other days differ in more than the program: this judges nothing.",
			plural(n, "series", "series"), 100*level, level*float64(n)), faint)
	}
}

// metric writes the table of one metric; what is 0 throughout is one line.
func (p *printer) metric(g history.Group, metric string) {
	series := slices.DeleteFunc(slices.Clone(g.Series), func(s history.Series) bool { return s.Metric != metric })
	if len(series) == 0 {
		return
	}
	p.line("")
	if !slices.ContainsFunc(series, nonzero) {
		p.line(p.bold(metric) + "  0 in all runs")
		return
	}
	zero := 0
	if metric == history.Errors { // of most variants there are none ever
		all := len(series)
		series = slices.DeleteFunc(series, func(s history.Series) bool { return !nonzero(s) })
		zero = all - len(series)
	}
	table := &grid{columns: []column{{}, {}, {title: "span", right: true, drop: 1}, {right: true}}}
	for _, s := range series {
		low, high := bounds(s.Values)
		text := figure(metric, low)
		if to := figure(metric, high); to != text {
			text += "–" + to
		}
		table.add(s.Variant, cmp.Or(s.Label, s.Level), text, "")
	}
	table.fit(p.width - 2 - min(len(g.Runs), leastBars))
	drawn := min(len(g.Runs), max(p.width-2-table.width(), 1))
	for i, s := range series {
		cells := table.rows[i]
		cells[len(cells)-1] = bars(s.Values, drawn)
	}
	title := p.bold(metric)
	if drawn < len(g.Runs) {
		title += p.paint(fmt.Sprintf("  (bars of the newest %d runs)", drawn), faint)
	}
	p.line(title)
	lines := table.lines()
	for i, s := range series {
		p.line("  " + lines[i])
		for _, c := range s.Changes {
			p.change(g, s, c)
		}
	}
	if zero > 0 {
		p.line(p.paint("  0 in all runs of the others", faint))
	}
}

// leastBars is for how many bars the span of the values is given up.
const leastBars = 20

func (p *printer) change(g history.Group, s history.Series, c history.Change) {
	text := fmt.Sprintf("%s → %s", figure(s.Metric, c.From), figure(s.Metric, c.To))
	if share, ok := c.Relative(); s.Metric == history.Reduction {
		text += fmt.Sprintf(" (%+.1f points)", 100*(c.To-c.From))
	} else if ok {
		text += fmt.Sprintf(" (%+.1f %%)", 100*share)
	}
	p.line("      " + p.paint(text, doubt))
	p.wrapped("        ", "after "+runLine(g.Runs[c.After]), "")
	p.wrapped("        ", "with  "+runLine(g.Runs[c.First]), "")
}

// runLine is "20261107-000000.000-aaaaaa, 2026-11-07, 031258104c3b with changes".
func runLine(r history.Run) string {
	text := r.ID + ", " + r.Started.UTC().Format(time.DateOnly) + ", " + abbreviated(r.Revision)
	if r.Modified {
		text += " with changes"
	}
	return text
}

func abbreviated(revision string) string { return revision[:min(len(revision), 12)] }

func nonzero(s history.Series) bool {
	return slices.ContainsFunc(s.Values, func(v *float64) bool { return v != nil && *v != 0 })
}

func figure(metric string, v float64) string {
	switch metric {
	case history.Makespan, history.ItemP99:
		return duration(time.Duration(v))
	case history.Reduction:
		return percent(v)
	}
	return median(v)
}

// bounds is the least and the largest of the values that there are.
func bounds(values []*float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v != nil {
			low, high = min(low, *v), max(high, *v)
		}
	}
	return low, high
}

// flat is the share of a value that bars span at least: less is noise, and
// would look like change if it filled the height.
const flat = 0.1

// bars draws a value a run, the newest where there is no room for all; "·"
// where a run has none. The lowest bar is the least value of those drawn.
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
