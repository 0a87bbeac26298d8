package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"floodgate/results/summary"
)

// services writes a table a level of a service under load, and below it why
// the descriptors of each variant grow.
func (p *printer) services() {
	g := p.serviceGrid()
	dropped := g.fit(p.width)
	widths := g.widths()
	for i, r := range p.v.Service {
		if i == 0 || r.Level != p.v.Service[i-1].Level {
			p.line("")
			p.level(r.Level)
			p.line(p.paint(g.line(g.titles(), widths), faint))
		}
		p.line(g.line(g.rows[i], widths))
		if i == len(p.v.Service)-1 || r.Level != p.v.Service[i+1].Level {
			p.causes(r.Level)
		}
	}
	if len(dropped) > 0 {
		p.wrapped("", "not shown, for want of width: "+strings.Join(dropped, ", "), faint)
	}
}

// serviceGrid has a row for every row of the service's table.
func (p *printer) serviceGrid() *grid {
	g := &grid{columns: []column{
		{title: "variant"},
		{title: "n", right: true},
		{title: "reports", right: true, drop: 4},
		{title: "done", right: true},
		{title: "response p50", right: true, drop: 5},
		{title: "p99", right: true},
		{title: "service p99", right: true, drop: 2},
		{title: "tasks", right: true, drop: 2},
		{title: "memory", right: true, drop: 3},
		{title: "peak FDs", right: true},
		{title: "EMFILE", right: true},
		{title: "recovered", right: true},
		{title: "left", right: true, drop: 1},
		{title: "documents", drop: 6},
	}}
	for _, r := range p.v.Service {
		g.add(p.serviceCells(r)...)
	}
	return g
}

func (p *printer) serviceCells(r summary.ServiceRow) []string {
	n := fmt.Sprint(r.Measured)
	if r.Measured < r.Planned {
		n = p.paint(fmt.Sprintf("%d/%d", r.Measured, r.Planned), doubt)
	}
	done := none
	if r.Due > 0 {
		done = percent(float64(r.Done) / float64(r.Due))
	}
	exhausted := "never"
	if r.FirstOut != nil {
		exhausted = p.paint(fmt.Sprintf("%.1f s", r.FirstOut.At.Seconds()), bad)
		if r.Exhausted < r.Measured {
			exhausted += fmt.Sprintf(" (%d/%d)", r.Exhausted, r.Measured)
		}
	}
	recovered := fmt.Sprintf("%d/%d", r.Recovered, r.Measured)
	if r.Recovered < r.Measured {
		recovered = p.paint(recovered, bad)
	}
	peak := none
	if r.Peak != nil {
		peak = fmt.Sprintf("%s of %s", count(*r.Peak), count(r.NoFile))
	}
	return []string{
		r.Variant, n, count(r.Due), done, orNone(r.ResponseP50, duration), orNone(r.ResponseP99, duration), orNone(r.ServiceP99, duration),
		orNone(r.Tasks, count), orNone(r.PeakRSS, mebibytes), peak, exhausted, recovered, count(r.Left), p.documents(summary.Row{Documents: r.Documents, Checked: r.Checked, Planned: r.Planned}),
	}
}

// causes say, below a level's table, what became of reports and descriptors.
func (p *printer) causes(level string) {
	for _, r := range p.v.Service {
		if parts := serviceRemarks(r); r.Level == level && len(parts) > 0 {
			p.wrapped("  ", r.Variant+": "+strings.Join(parts, "; "), faint)
		}
	}
}

// serviceRemarks say of a row what its cells do not.
func serviceRemarks(r summary.ServiceRow) []string {
	var parts []string
	for _, o := range (summary.Row{NotOK: r.NotOK}).Outcomes() {
		parts = append(parts, plural(r.NotOK[o], "trial", "trials")+" "+past(o))
	}
	if r.Stalled > 0 {
		parts = append(parts, plural(r.Stalled, "trial", "trials")+" stalled: reports in flight, and nothing completed")
	}
	if r.Dropped > 0 {
		parts = append(parts, count(r.Dropped)+" reports were due and not sent, the load having ended early")
	}
	if len(r.Errors) > 0 {
		parts = append(parts, "reports not done: "+errorTypes(r.Errors))
	}
	if r.Repeated > 0 {
		parts = append(parts, repeatedRemark(r.Repeated))
	}
	if r.OutOfPorts > 0 {
		parts = append(parts, "out of local ports (EADDRNOTAVAIL) in "+plural(r.OutOfPorts, "trial", "trials"))
	}
	if out := r.FirstOut; out != nil {
		text := fmt.Sprintf("out of descriptors after %.1f s, at report %s, at %.1f reports a second, first for %s", out.At.Seconds(), count(out.Report), out.Rate, sides(r.Sides))
		if at := r.ForecastAt; at != nil {
			text += fmt.Sprintf(" (%.1f s was predicted when half of them were open)", at.Seconds())
		}
		parts = append(parts, text)
	}
	if r.Says != "" {
		parts = append(parts, r.Says)
	}
	if k := r.LeftKinds; k != nil {
		parts = append(parts, fmt.Sprintf("%s stayed open when all was closed: %s of the upstream, %s of the database, %s others",
			count(r.Left), count(k.Upstream), count(k.Mongo), count(k.Others())))
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
