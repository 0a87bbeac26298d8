package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"floodgate/results/report/text"
	"floodgate/results/summary"
)

// services writes a table a level of a service under load, and below it why
// the descriptors of each variant grow.
func (p *printer) services() {
	g := p.serviceGrid()
	dropped := g.Fit(p.Width)
	widths := g.Widths()
	for i, r := range p.v.Service {
		if i == 0 || r.Level != p.v.Service[i-1].Level {
			p.Line("")
			p.level(r.Level)
			p.Titles(g, widths)
		}
		p.Line(g.Line(g.Rows[i], widths))
		if i == len(p.v.Service)-1 || r.Level != p.v.Service[i+1].Level {
			p.causes(r.Level)
		}
	}
	p.NotShown(dropped)
}

// serviceGrid has a row for every row of the service's table.
func (p *printer) serviceGrid() *text.Grid {
	g := &text.Grid{Columns: []text.Column{
		{Title: "variant"},
		{Title: "n", Right: true},
		{Title: "reports", Right: true, Drop: 4},
		{Title: "done", Right: true},
		{Title: "response p50", Right: true, Drop: 5},
		{Title: "p99", Right: true},
		{Title: "service p99", Right: true, Drop: 2},
		{Title: "tasks", Right: true, Drop: 2},
		{Title: "memory", Right: true, Drop: 3},
		{Title: "peak FDs", Right: true},
		{Title: "EMFILE", Right: true},
		{Title: "recovered", Right: true},
		{Title: "left", Right: true, Drop: 1},
		{Title: "documents", Drop: 6},
	}}
	for _, r := range p.v.Service {
		g.Add(p.serviceCells(r)...)
	}
	return g
}

func (p *printer) serviceCells(r summary.ServiceRow) []string {
	n := fmt.Sprint(r.Measured)
	if r.Measured < r.Planned {
		n = p.Paint(fmt.Sprintf("%d/%d", r.Measured, r.Planned), doubt)
	}
	done := text.None
	if r.Due > 0 {
		done = text.Percent(float64(r.Done) / float64(r.Due))
	}
	exhausted := "never"
	if r.FirstOut != nil {
		exhausted = p.Paint(fmt.Sprintf("%.1f s", r.FirstOut.At.Seconds()), bad)
		if r.Exhausted < r.Measured {
			exhausted += fmt.Sprintf(" (%d/%d)", r.Exhausted, r.Measured)
		}
	}
	recovered := fmt.Sprintf("%d/%d", r.Recovered, r.Measured)
	if r.Recovered < r.Measured {
		recovered = p.Paint(recovered, bad)
	}
	peak := text.None
	if r.Peak != nil {
		peak = fmt.Sprintf("%s of %s", text.Count(*r.Peak), text.Count(r.NoFile))
	}
	return []string{
		r.Variant, n, text.Count(r.Due), done, text.OrNone(r.ResponseP50, text.Duration), text.OrNone(r.ResponseP99, text.Duration), text.OrNone(r.ServiceP99, text.Duration),
		text.OrNone(r.Tasks, text.Count), text.OrNone(r.PeakRSS, mebibytes), peak, exhausted, recovered, text.Count(r.Left), p.documents(summary.Row{Documents: r.Documents, Checked: r.Checked, Planned: r.Planned}),
	}
}

// causes say, below a level's table, what became of reports and descriptors.
func (p *printer) causes(level string) {
	for _, r := range p.v.Service {
		if parts := serviceRemarks(r); r.Level == level && len(parts) > 0 {
			p.Wrapped("  ", r.Variant+": "+strings.Join(parts, "; "), faint)
		}
	}
}

// serviceRemarks say of a row what its cells do not.
func serviceRemarks(r summary.ServiceRow) []string {
	var parts []string
	for _, o := range (summary.Row{NotOK: r.NotOK}).Outcomes() {
		parts = append(parts, text.Plural(r.NotOK[o], "trial", "trials")+" "+past(o))
	}
	if r.Stalled > 0 {
		parts = append(parts, text.Plural(r.Stalled, "trial", "trials")+" stalled: reports in flight, and nothing completed")
	}
	if r.Dropped > 0 {
		parts = append(parts, text.Count(r.Dropped)+" reports were due and not sent, the load having ended early")
	}
	if len(r.Errors) > 0 {
		parts = append(parts, "reports not done: "+errorTypes(r.Errors))
	}
	if r.Repeated > 0 {
		parts = append(parts, repeatedRemark(r.Repeated))
	}
	if r.OutOfPorts > 0 {
		parts = append(parts, "out of local ports (EADDRNOTAVAIL) in "+text.Plural(r.OutOfPorts, "trial", "trials"))
	}
	if out := r.FirstOut; out != nil {
		words := fmt.Sprintf("out of descriptors after %.1f s, at report %s, at %.1f reports a second, first for %s", out.At.Seconds(), text.Count(out.Report), out.Rate, sides(r.Sides))
		if at := r.ForecastAt; at != nil {
			words += fmt.Sprintf(" (%.1f s was predicted when half of them were open)", at.Seconds())
		}
		parts = append(parts, words)
	}
	if r.Says != "" {
		parts = append(parts, r.Says)
	}
	if k := r.LeftKinds; k != nil {
		parts = append(parts, fmt.Sprintf("%s stayed open when all was closed: %s of the upstream, %s of the database, %s others",
			text.Count(r.Left), text.Count(k.Upstream), text.Count(k.Mongo), text.Count(k.Others())))
	}
	return parts
}

// sides says where descriptors were refused first.
func sides(trials map[string]int) string {
	words := map[string]string{
		"upstream": "a connection to the upstream", "mongo": "a connection to the database", "accept": "a connection of a client",
	}
	var parts []string
	for _, side := range slices.SortedFunc(maps.Keys(trials), func(a, b string) int {
		return cmp.Or(cmp.Compare(trials[b], trials[a]), cmp.Compare(a, b))
	}) {
		part := words[side]
		if len(trials) > 1 {
			part += fmt.Sprintf(" (%d×)", trials[side])
		}
		parts = append(parts, part)
	}
	return cmp.Or(strings.Join(parts, ", "), "what is not known")
}
