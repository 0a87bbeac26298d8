package html

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/report/html/chart"
	"floodgate/results/text"
	"floodgate/results/trace"
)

// slowestShown is the number of items or requests in the waterfall.
const slowestShown = 10

// traces draws where the time of the slowest items or requests went.
func (p *pictures) traces(run *results.Run) section {
	what, one := "items", "item"
	if p.verdict.Service != nil {
		what, one = "requests", "request"
	}
	s := section{ID: "traces", Title: "Slowest " + what}
	var slowest []trace.Trace
	var unread []string
	for i := range run.Trials {
		all, err := run.ReadTraces(&run.Trials[i])
		if err != nil {
			unread = append(unread, fmt.Sprintf("the traces of trial %d cannot be read: %v", run.Trials[i].Index, err))
		}
		slowest = trace.SlowestOf(append(slowest, all...), slowestShown)
	}
	s.None = strings.Join(unread, "; ")
	if len(slowest) == 0 {
		s.None = cmp.Or(s.None, "the files of the traces are not beside the record")
		return s
	}
	s.Detail = fmt.Sprintf("The %s that took longest in any trial, with the parts of their time in the order in which they followed each other. ", what)
	if p.verdict.Service == nil {
		s.Detail += "The queue is the time since the start of the run, before the fetch; it depends on the place of an item in the list, and does not count here. One that is longer than half of the longest item is drawn cut."
	} else {
		s.Detail += "The parts within the service are those of the item that it completed last, where it is traced."
	}
	p.waterfall(&s.Figures, slowest, one)
	return s
}

// waterfall draws a row for each trace.
func (p *pictures) waterfall(to *[]picture, all []trace.Trace, one string) {
	var names []string
	longest := time.Duration(0)
	for _, t := range all {
		longest = max(longest, t.Work())
		for _, part := range t.Timeline() {
			if part.Took > 0 && !slices.Contains(names, part.Name) {
				names = append(names, part.Name)
			}
		}
	}
	order := trace.PartNames()
	slices.SortFunc(names, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	rows := chart.Rows{
		Title: fmt.Sprintf("The %d slowest %ss", len(all), one), Text: "A bar for each, divided into the parts of its time, which follow each other from left to right.",
		Value: chart.Axis{Label: "time", Format: func(ns float64) string { return text.Short(time.Duration(ns)) }}, Parts: names,
	}
	if len(all) == 1 {
		rows.Title = "The slowest " + one
	}
	f := picture{Head: append([]string{one, "variant", "level", "trial", "took"}, names...)}
	for _, t := range all {
		root := t.Root()
		number, _ := root.Number(numberKey(root))
		trial, _ := root.Number(trace.KeyTrial)
		level := p.levelTitle(root.Text(trace.KeyLevel))
		row := chart.Row{
			Name: shortName(fmt.Sprintf("%s, %s %d", root.Text(trace.KeyVariant), one, number)), Text: text.Duration(t.Work()),
		}
		numbers := []string{fmt.Sprint(number), root.Text(trace.KeyVariant), level, fmt.Sprint(trial), text.Duration(t.Work())}
		took := map[string]time.Duration{}
		for _, part := range t.Timeline() {
			took[part.Name] += part.Took
		}
		for _, name := range names {
			words := fmt.Sprintf("%s: %s", name, text.Duration(took[name]))
			shown := took[name]
			if name == trace.Queue && root.Name == trace.Item && shown > longest/2 {
				shown = longest / 2
				words += ", drawn cut"
			}
			row.Parts = append(row.Parts, chart.Mark{At: float64(shown), Text: words})
			numbers = append(numbers, text.Duration(took[name]))
		}
		if failed := errorOf(t); failed != "" {
			row.Text += " " + failed
			numbers[4] += " " + failed
		}
		rows.Rows = append(rows.Rows, row)
		f.Rows = append(f.Rows, numbers)
	}
	p.addRows(to, rows, f)
}

// numberKey returns the attribute with the number of a root.
func numberKey(root trace.Span) string {
	if root.Name == trace.Item {
		return trace.KeyItem
	}
	return trace.KeyRequest
}

// errorOf returns the type of the error of a trace, or "".
func errorOf(t trace.Trace) string {
	if err := t.Root().Error; err != "" {
		return strings.ReplaceAll(err, "_", " ")
	}
	return ""
}
