package whatif

import (
	"math"
	"time"
)

// The stages of an item's way, in order.
const (
	stageConn = iota
	stageRate
	stageUpstream
	stageFetch
	stageHandoff
	stagePool
	stageDatabase
	stageWrite
	stages
)

// stageNames in words; what waits and what is served.
var stageNames = [stages]string{
	"waits for a connection to the upstream", "waits for the upstream's rate limit", "waits for the upstream's capacity", "fetch",
	"waits for a writer", "waits for a connection to the database", "waits for the database's capacity", "write",
}

// Prediction is what a simulation gave.
type Prediction struct {
	Makespan time.Duration `json:"makespan_ns"`
	// Min and Most are the extremes of the makespan where it was simulated
	// several times, with items in other orders; else 0.
	Min time.Duration `json:"min_ns,omitempty"`
	Max time.Duration `json:"max_ns,omitempty"`
	// Throughput in items a second, over the makespan.
	Throughput float64 `json:"throughput"`
	// Times of an item, from the begin of its fetch to the end of its write.
	Mean time.Duration `json:"mean_ns"`
	P50  time.Duration `json:"p50_ns"`
	P95  time.Duration `json:"p95_ns"`
	P99  time.Duration `json:"p99_ns"`
	// InFlight is how many items were under way in the mean, of all hosts.
	InFlight float64 `json:"in_flight"`
	// Peak is the most at once: of all hosts, and of one.
	Peak     int `json:"peak_in_flight"`
	PeakHost int `json:"peak_in_flight_host"`
	// Upstream and Mongo are connections in use at once, of the host that had most.
	Upstream int `json:"upstream_connections_host"`
	Mongo    int `json:"mongo_connections_host"`
	// Stages say where an item's time goes, in order; those without any are left out.
	Stages []StageTime `json:"stages"`

	others float64 // see simulation.others
}

// StageTime is the mean time that an item spends in one stage.
type StageTime struct {
	Stage string        `json:"stage"`
	Mean  time.Duration `json:"mean_ns"`
	Share float64       `json:"share"` // of the item's time
}

func (s *simulation) prediction() Prediction {
	items := float64(s.m.Items)
	p := Prediction{
		Makespan: time.Duration(s.now),
		Mean:     time.Duration(math.Round(s.total / items)),
		P50:      time.Duration(s.times.ValueAtQuantile(50)),
		P95:      time.Duration(s.times.ValueAtQuantile(95)),
		P99:      time.Duration(s.times.ValueAtQuantile(99)),
		Peak:     s.peak,
	}
	if s.now > 0 {
		p.Throughput = items / p.Makespan.Seconds()
		p.InFlight = s.area / float64(s.now)
	}
	if s.counted > 0 {
		p.others = s.others / float64(s.counted)
	}
	for i := range s.hosts {
		h := &s.hosts[i]
		p.PeakHost, p.Upstream, p.Mongo = max(p.PeakHost, h.peak), max(p.Upstream, h.conns.peak), max(p.Mongo, h.pool.peak)
	}
	for i, spent := range s.spent {
		if spent > 0 {
			p.Stages = append(p.Stages, StageTime{Stage: stageNames[i], Mean: time.Duration(math.Round(spent / items)), Share: spent / s.total})
		}
	}
	return p
}
