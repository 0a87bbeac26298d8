package mockupstream

import (
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/prometheus/client_golang/prometheus"
)

// collector converts a snapshot into Prometheus metrics at each scrape, so that metrics
// cost requests nothing. Setting the profile resets the counters.
type collector struct {
	upstream *Upstream
	buckets  []float64 // seconds

	requests, repeated, answers, faults, refused, queued, disconnected *prometheus.Desc
	inFlight, connections, accepted, saturated, phase                  *prometheus.Desc
	injected, actual, late                                             *prometheus.Desc
}

func newCollector(u *Upstream) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("mockupstream_"+name, help, labels, nil)
	}
	return &collector{
		upstream:     u,
		buckets:      []float64{25e-6, 100e-6, 250e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		requests:     desc("requests_total", "Requests for items received."),
		repeated:     desc("repeated_requests_total", "Requests beyond the first for their key."),
		answers:      desc("answers_total", "Answers to requests for items.", "status"),
		faults:       desc("faults_total", "Faults injected.", "kind"),
		refused:      desc("refused_total", "Requests refused, by the rate limit or the capacity model.", "by"),
		queued:       desc("queued_total", "Requests that waited for a worker of the capacity model."),
		disconnected: desc("disconnected_total", "Clients that disconnected before their answer."),
		inFlight:     desc("in_flight", "Requests in flight."),
		connections:  desc("connections", "Open connections."),
		accepted:     desc("connections_accepted_total", "Connections accepted."),
		saturated:    desc("saturated", "1 when the mock itself is overloaded."),
		phase:        desc("phase", "Phases of the profile that have begun."),
		injected:     desc("injected_delay_seconds", "Injected delay of answers."),
		actual:       desc("actual_delay_seconds", "Measured delay of answers."),
		late:         desc("late_seconds", "Actual delay minus injected delay."),
	}
}

// Describe sends the descriptions of all metrics.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.requests, c.repeated, c.answers, c.faults, c.refused, c.queued, c.disconnected, c.inFlight,
		c.connections, c.accepted, c.saturated, c.phase, c.injected, c.actual, c.late,
	} {
		descs <- d
	}
}

// Collect sends the metrics of a snapshot.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	s, t := c.upstream.snapshot()
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, n int64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	counter(c.requests, s.Requests)
	counter(c.repeated, s.Repeated)
	for status, n := range s.Statuses {
		counter(c.answers, n, strconv.Itoa(status))
	}
	for kind, n := range s.Faults {
		counter(c.faults, n, kind)
	}
	counter(c.refused, s.RateLimited, "rate")
	counter(c.refused, s.Overloaded, "capacity")
	counter(c.queued, s.Queued)
	counter(c.disconnected, s.Disconnected)
	counter(c.accepted, s.Accepted)
	gauge(c.inFlight, s.InFlight)
	gauge(c.connections, s.Connections)
	gauge(c.phase, int64(s.Phase))
	saturated := int64(0)
	if s.Saturated {
		saturated = 1
	}
	gauge(c.saturated, saturated)
	out <- c.histogram(c.injected, t.injected)
	out <- c.histogram(c.actual, t.actual)
	out <- c.histogram(c.late, t.late)
}

func (c *collector) histogram(d *prometheus.Desc, h *hdrhistogram.Histogram) prometheus.Metric {
	cumulative := make(map[float64]uint64, len(c.buckets))
	bars, i, seen := h.Distribution(), 0, uint64(0)
	for _, bound := range c.buckets {
		for i < len(bars) && float64(bars[i].To) <= bound*float64(time.Second) {
			seen += uint64(bars[i].Count)
			i++
		}
		cumulative[bound] = seen
	}
	n := uint64(h.TotalCount())
	return prometheus.MustNewConstHistogram(d, n, h.Mean()*float64(n)/float64(time.Second), cumulative)
}
