package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"floodgate/bench/experiment"
)

// gauges describe the current trial. Between trials there are none, instead of those
// of a trial that is over.
type gauges struct {
	info                *prometheus.Desc
	plain               []gauge
	p50, p99            *prometheus.Desc
	fdsByKind, connects *prometheus.Desc
}

// gauge is a figure of a service under load.
type gauge struct {
	desc  *prometheus.Desc
	value func(*experiment.Live) float64
}

func newGauges() *gauges {
	g := &gauges{
		info:      desc("trial_info", "The current trial; its number and block count from 0, as in its record.", "scenario", "trial", "block", "variant", "level"),
		p50:       desc("response_recent_p50_seconds", "Median response time of reports that ended in the last second or two; absent if there were none."),
		p99:       desc("response_recent_p99_seconds", "Their 99th percentile."),
		fdsByKind: desc("sut_open_fds_by_kind", "Open file descriptors of the service under load, by kind.", "kind"),
		connects:  desc("sut_connections", "Connections of the service under load, as reported by itself.", "to", "state"),
	}
	whole := func(name, help string, value func(*experiment.Live) int) {
		g.plain = append(g.plain, gauge{desc(name, help), func(l *experiment.Live) float64 { return float64(value(l)) }})
	}
	seconds := func(name, help string, value func(*experiment.Live) time.Duration) {
		g.plain = append(g.plain, gauge{desc(name, help), func(l *experiment.Live) float64 { return value(l).Seconds() }})
	}
	seconds("trial_elapsed_seconds", "Time since the service became ready.", func(l *experiment.Live) time.Duration { return l.Tick.At })
	seconds("trial_load_seconds", "Duration of the load.", func(l *experiment.Live) time.Duration { return l.Duration })
	whole("reports_in_flight", "Reports that are admitted and not yet answered.", func(l *experiment.Live) int { return l.Tick.ReportsInFlight })
	whole("items_outstanding", "Items of reports in flight.", func(l *experiment.Live) int { return l.Tick.Outstanding })
	whole("items_fetching", "Items that wait for the upstream.", func(l *experiment.Live) int { return l.Tick.Fetching })
	whole("items_writing", "Items that wait for the database or its pool.", func(l *experiment.Live) int { return l.Tick.Writing })
	whole("slots_in_use", "Slots of the shared limit that are in use.", func(l *experiment.Live) int { return l.Tick.SlotsInUse })
	whole("slots_limit", "Slots of the shared limit; 0 means that there is none.", func(l *experiment.Live) int { return l.Tick.SlotLimit })
	whole("sut_goroutines", "Goroutines of the service under load.", func(l *experiment.Live) int { return l.Tick.Goroutines })
	whole("sut_threads", "Threads of the service under load.", func(l *experiment.Live) int { return l.Threads })
	whole("sut_resident_memory_bytes", "Resident memory of the service under load.", func(l *experiment.Live) int { return int(l.RSS) })
	whole("sut_open_fds", "Open file descriptors of the service under load.", func(l *experiment.Live) int { return l.Descriptors })
	whole("sut_max_fds", "Limit of its file descriptors.", func(l *experiment.Live) int { return l.NoFile })
	return g
}

func (g *gauges) describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.info, g.p50, g.p99, g.fdsByKind, g.connects} {
		descs <- d
	}
	for _, p := range g.plain {
		descs <- p.desc
	}
}

// sender sends one gauge.
type sender func(d *prometheus.Desc, x float64, labels ...string)

func (g *gauges) trial(send sender, t *experiment.ScheduledTrial, scenario string) {
	send(g.info, 1, scenario, strconv.Itoa(t.Index), strconv.Itoa(t.Block), t.Variant.Name, t.Level.Name)
}

func (g *gauges) live(send sender, l *experiment.Live) {
	for _, p := range g.plain {
		send(p.desc, p.value(l))
	}
	if l.P99 > 0 { // zero means that no report ended
		send(g.p50, l.P50.Seconds())
		send(g.p99, l.P99.Seconds())
	}
	if k := l.Kinds; k != nil {
		send(g.fdsByKind, float64(k.Upstream), "upstream")
		send(g.fdsByKind, float64(k.Mongo), "mongo")
		send(g.fdsByKind, float64(k.Others()), "other")
	}
	t := &l.Tick
	send(g.connects, float64(t.UpstreamConnecting), "upstream", "connecting")
	send(g.connects, float64(t.UpstreamOpen), "upstream", "open")
	send(g.connects, float64(t.MongoConnecting), "mongo", "connecting")
	send(g.connects, float64(t.MongoOpen), "mongo", "open")
	send(g.connects, float64(t.Accepted), "client", "open")
}
