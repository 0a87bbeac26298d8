package content

import (
	"fmt"

	"floodgate/results/summary"
	"floodgate/results/text"
)

// HostsGrid has one row per row of the table whose trials have several hosts; of holds the
// row of the table of hosts for each. remark explains it.
func (p *Run) HostsGrid() (g *text.Grid, of []summary.HostsRow, remark string) {
	if p.Outcome.Service != nil {
		g, of = p.serviceHostsGrid()
		return g, of, serviceHostsRemark
	}
	g, of = p.itemHostsGrid()
	return g, of, hostsRemark
}

// worstPeak returns the peak of descriptors of a host, and the host.
func worstPeak(r summary.HostsRow) string {
	if r.Peak == nil {
		return text.None
	}
	return ofHost(text.Count(*r.Peak), r.Worst)
}

// ofHost adds the host that has a value.
func ofHost(value string, host int) string { return fmt.Sprintf("%s (host %d)", value, host+1) }

// serviceHostsGrid is the HostsGrid of a service.
func (p *Run) serviceHostsGrid() (g *text.Grid, of []summary.HostsRow) {
	g = &text.Grid{Columns: []text.Column{
		{Title: "variant"},
		{Title: "hosts", Right: true},
		{Title: p.units() + " a host", Right: true, Drop: 2},
		{Title: "failed", Right: true},
		{Title: "failed on worst", Right: true, Drop: 4},
		{Title: "p99", Right: true},
		{Title: "slowest host", Right: true},
		{Title: "memory of all", Right: true, Drop: 3},
		{Title: "FDs of all", Right: true, Drop: 1},
		{Title: "FDs of worst host", Right: true},
	}}
	if p.Outcome.Table == nil {
		return g, nil
	}
	of = p.Outcome.Table.Hosts
	for _, r := range of {
		share, failed, most, slowest := text.None, text.None, text.None, text.None
		if len(r.Service) > 0 {
			least, greatest, all, worst := r.Service[0].Due, r.Service[0].Due, 0, 0
			for i, h := range r.Service {
				least, greatest, all = min(least, h.Due), max(greatest, h.Due), all+h.ErrorCount()
				if h.ErrorCount() > r.Service[worst].ErrorCount() {
					worst = i
				}
			}
			if share = text.Count(least); greatest > least {
				share += " to " + text.Count(greatest)
			}
			if failed = text.Count(all); all > 0 {
				most = ofHost(text.Count(r.Service[worst].ErrorCount()), worst)
			}
		}
		if i, ok := r.SlowestService(); ok {
			slowest = ofHost(text.Duration(*r.Service[i].ResponseP99), i)
		}
		g.Add(r.Variant, text.Count(r.Hosts), share, failed, most, text.OrNone(r.ResponseP99, text.Duration), slowest,
			text.OrNone(r.FleetRSS, text.Mebibytes), text.OrNone(r.FleetPeak, text.Count), worstPeak(r))
	}
	return g, of
}

// itemHostsGrid is the HostsGrid of a program that processes its items once.
func (p *Run) itemHostsGrid() (g *text.Grid, of []summary.HostsRow) {
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
		skew := text.None
		if r.Skew != nil && r.Uncertainty != nil {
			skew = fmt.Sprintf("%s ± %s", text.Duration(*r.Skew), text.Duration(*r.Uncertainty))
		}
		g.Add(r.Variant, text.Count(r.Hosts), text.OrNone(r.Makespan, text.Duration), text.OrNone(r.Slowest, text.Duration),
			text.OrNone(r.Fastest, text.Duration), skew, text.OrNone(r.FleetRSS, text.Mebibytes), text.OrNone(r.FleetPeak, text.Count), worstPeak(r))
	}
	return g, of
}

// The remarks explain the tables of hosts.
const (
	hostsRemark        = "makespan: from the first start to the last end; skew: the longest between the first start and the last; FDs of all: open on all hosts at one time"
	serviceHostsRemark = "p99: since requests were due, of all hosts together; slowest host: that with the highest p99 of its own; FDs of all: open on all hosts at one time; time series and causes are those of the host with most descriptors"
)
