package content

import (
	"fmt"

	"floodgate/results/summary"
	"floodgate/results/text"
)

// HostsGrid has one row per row of the table whose trials have several hosts; of holds the
// row of the table of hosts for each.
func (p *Run) HostsGrid() (g *text.Grid, of []summary.HostsRow) {
	g = &text.Grid{Columns: []text.Column{
		{Title: "variant"},
		{Title: "hosts", Right: true},
		{Title: "makespan", Right: true},
		{Title: "slowest host", Right: true},
		{Title: "fastest", Right: true, Drop: 2},
		{Title: "skew", Right: true, Drop: 1},
		{Title: "memory of all", Right: true, Drop: 3},
		{Title: "FDs of all", Right: true},
		{Title: "FDs of worst host", Right: true},
	}}
	if p.Outcome.Table == nil {
		return g, nil
	}
	of = p.Outcome.Table.Hosts
	for _, r := range of {
		worst, skew := text.None, text.None
		if r.Peak != nil {
			worst = fmt.Sprintf("%s (host %d)", text.Count(*r.Peak), r.Worst+1)
		}
		if r.Skew != nil && r.Uncertainty != nil {
			skew = fmt.Sprintf("%s ± %s", text.Duration(*r.Skew), text.Duration(*r.Uncertainty))
		}
		g.Add(r.Variant, text.Count(r.Hosts), text.OrNone(r.Makespan, text.Duration), text.OrNone(r.Slowest, text.Duration),
			text.OrNone(r.Fastest, text.Duration), skew, text.OrNone(r.FleetRSS, text.Mebibytes), text.OrNone(r.FleetPeak, text.Count), worst)
	}
	return g, of
}

// HostsRemark explains the table of hosts.
const HostsRemark = "makespan: from the first start to the last end; skew: the longest between the first start and the last; FDs of all: open on all hosts at one time"
