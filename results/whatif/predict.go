package whatif

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"floodgate/results/text"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// Answer is a prediction with its caveats.
type Answer struct {
	// Spec is the requested spec; Strategy, Items and Hosts result from it.
	Spec     string `json:"spec"`
	Strategy string `json:"strategy"`
	Items    int    `json:"items"`
	Hosts    int    `json:"hosts"`
	// FetchP50, FetchP99 and WriteP50 describe the times of a fetch and a write in
	// the simulation, without waiting.
	FetchP50 time.Duration `json:"fetch_p50_ns"`
	FetchP99 time.Duration `json:"fetch_p99_ns"`
	WriteP50 time.Duration `json:"write_p50_ns"`
	Prediction
	// Descriptors is the largest number of descriptors that a host has open, and
	// AllDescriptors that of all hosts. NoFile is the limit of a host; zero means
	// unknown.
	Descriptors    int `json:"descriptors_host"`
	AllDescriptors int `json:"descriptors"`
	NoFile         int `json:"nofile,omitempty"`
	// Exhausts reports that a host needs more than it may open.
	Exhausts bool `json:"exhausts,omitempty"`
	// EquivalentLimit is the measured limit at which the database was as busy. Extrapolated
	// reports that there was none, and EquivalentLimit is the highest then.
	EquivalentLimit float64 `json:"busy_as_limit"`
	Extrapolated    bool    `json:"extrapolated,omitempty"`
	// DatabaseBound is the maximum number of writes per second of the database; zero
	// means that no bound was observed. See [Sweep.DatabaseBound].
	DatabaseBound float64 `json:"database_bound,omitempty"`
	// Range is the range of the measurements.
	Range Range `json:"range"`
	// Outside lists what is outside of that range.
	Outside []string `json:"outside,omitempty"`
	// Caveats holds other caveats.
	Caveats    []string   `json:"caveats,omitempty"`
	Validation Validation `json:"validation"`

	servers int // of the database, beyond what was measured
}

// Range is the range of the measurements behind a model.
type Range struct {
	MinLimit int `json:"min_limit"`
	MaxLimit int `json:"max_limit"`
	MinItems int `json:"min_items"`
	MaxItems int `json:"max_items"`
	// FetchP50, FetchP99 and WriteP50 are quantiles of the times of a fetch and a
	// write at the lowest limit.
	FetchP50 time.Duration `json:"fetch_p50_ns"`
	FetchP99 time.Duration `json:"fetch_p99_ns"`
	WriteP50 time.Duration `json:"write_p50_ns"`
	// Strategies lists the measured strategies.
	Strategies []string `json:"strategies"`
	// Hosts lists the measured numbers of hosts, in ascending order; nil means only 1.
	Hosts []int `json:"hosts,omitempty"`
}

// Range returns the range of the points.
func (s *Sweep) Range() Range {
	idle := s.idle()
	r := Range{
		MinItems: idle.Items, MaxItems: idle.Items,
		FetchP50: idle.fetch.Quantile(0.5), FetchP99: idle.fetch.Quantile(0.99), WriteP50: idle.write.Quantile(0.5),
	}
	r.MinLimit, r.MaxLimit = s.Limits()
	if hosts := s.measuredHosts(); hosts[len(hosts)-1] > 1 {
		r.Hosts = hosts
	}
	for _, p := range s.all {
		r.MinItems, r.MaxItems = min(r.MinItems, p.Items), max(r.MaxItems, p.Items)
		if !slices.Contains(r.Strategies, string(p.Variant.Strategy)) {
			r.Strategies = append(r.Strategies, string(p.Variant.Strategy))
		}
	}
	return r
}

// Answer returns [Sweep.Predict] with [Sweep.Validate].
func (s *Sweep) Answer(spec Spec) (*Answer, error) {
	a, err := s.Predict(spec)
	if err != nil {
		return nil, err
	}
	a.Validation, err = s.Validate()
	return a, err
}

// Predict predicts a spec, without a validation. It is an error if the spec is
// impossible or too long to simulate.
func (s *Sweep) Predict(spec Spec) (*Answer, error) {
	strategy, err := spec.strategy()
	if err != nil {
		return nil, err
	}
	m := Model{
		Items: cmp.Or(spec.Items, s.Range().MaxItems), Hosts: max(spec.Hosts, 1), Strategy: strategy,
		Capacity: spec.Capacity, Rate: cmp.Or(spec.Rate, s.idle().Rate),
	}
	v := scenarios.Variant{Strategy: strategy.Kind, Limit: strategy.Limit, Writers: strategy.Writers, Queue: strategy.Queue}
	m.Conns, m.Pool = v.MaxConns()
	if spec.Pool > 0 {
		m.Pool = spec.Pool
	}
	m, l, err := s.solve(m, shape{spec.UpstreamP50, spec.UpstreamP99, spec.DatabaseP50})
	if err != nil {
		return nil, fmt.Errorf("predict %s: %w", spec, err)
	}
	a := &Answer{
		Spec: spec.String(), Strategy: strategy.String(), Items: m.Items, Hosts: m.Hosts,
		FetchP50: m.Fetch.Quantile(0.5), FetchP99: m.Fetch.Quantile(0.99), WriteP50: m.Write.Quantile(0.5),
		NoFile: s.idle().NoFile, EquivalentLimit: l.limit, Extrapolated: l.beyond, servers: l.servers, DatabaseBound: s.DatabaseBound(), Range: s.Range(),
	}
	if was := a.Range.WriteP50; spec.DatabaseP50 > 0 { // a slower one does fewer
		a.DatabaseBound *= float64(was) / float64(spec.DatabaseP50)
	}
	if a.Prediction, err = repeated(m); err != nil {
		return nil, fmt.Errorf("predict %s: %w", spec, err)
	}
	a.descriptors(m, s.idle().Baseline)
	a.outside(spec, strategy.Limit, s.idle().Rate)
	a.caveats(spec, m.Rate, s.staged, s.Notes)
	return a, nil
}

// descriptors sets the descriptors of a host: those before the first client, the
// connections in use at once, and those of the driver besides its pool. A bounded
// pool may fill up.
func (a *Answer) descriptors(m Model, baseline int) {
	least := func(peak, bound int) int { return min(m.share(0), cmp.Or(bound, peak)) }
	a.Descriptors = baseline + least(a.Upstream, m.Conns) + least(a.Mongo, m.Pool) + scenarios.MonitorConns
	a.AllDescriptors = a.Descriptors * m.Hosts
}

// outside lists what is outside the measured range; rate is the measured rate of the
// upstream.
func (a *Answer) outside(spec Spec, limit int, rate float64) {
	add := func(format string, args ...any) { a.Outside = append(a.Outside, fmt.Sprintf(format, args...)) }
	r := a.Range
	if limit > 0 && (limit < r.MinLimit || limit > r.MaxLimit) {
		add("limit %d: %d to %d were measured", limit, r.MinLimit, r.MaxLimit)
	}
	if a.Items < r.MinItems || a.Items > r.MaxItems {
		add("%d items: %d to %d were measured", a.Items, r.MinItems, r.MaxItems)
	}
	switch {
	case len(r.Hosts) == 0 && a.Hosts > 1:
		add("%d hosts: 1 host was measured, on one machine with its upstream and its database", a.Hosts)
	case len(r.Hosts) > 0 && !slices.Contains(r.Hosts, a.Hosts):
		add("%s: %s were measured, on one machine with their upstream and their database", text.Plural(a.Hosts, "host", "hosts"), strings.ReplaceAll(strings.Trim(fmt.Sprint(r.Hosts), "[]"), " ", ", "))
	}
	if kind := spec.kind(); !slices.Contains(r.Strategies, string(kind)) {
		add("strategy %s: it was not measured", kind)
	}
	if a.Extrapolated {
		if a.servers == 0 {
			add("the database would be busier than in any measurement, and no bound of it was observed: none is predicted")
		} else {
			add("the database would be busier than in any measurement: more than %d concurrent writes are assumed to queue", a.servers)
		}
	}
	changed := func(name string, to, was time.Duration) {
		if to != 0 {
			add("%s %v: %v was measured", name, to, was.Round(10*time.Microsecond))
		}
	}
	changed("upstream.p50", spec.UpstreamP50, r.FetchP50)
	changed("upstream.p99", spec.UpstreamP99, r.FetchP99)
	changed("database.p50", spec.DatabaseP50, r.WriteP50)
	switch {
	case spec.Rate == rate:
	case rate > 0 && spec.Rate > 0:
		add("rate %v/s: the measured upstream allows %v/s", spec.Rate, rate)
	case spec.Rate > 0:
		add("rate %v/s: the measured upstream has no limit", spec.Rate)
	}
	if spec.Capacity > 0 {
		add("capacity %d: the measured upstream had only its own capacity", spec.Capacity)
	}
	if spec.Pool > 0 {
		add("pool %d: as many connections as slots were measured", spec.Pool)
	}
}

// caveats adds further caveats. staged reports that the calibration uses staged variants.
func (a *Answer) caveats(spec Spec, rate float64, staged bool, notes []string) {
	add := func(text string) { a.Caveats = append(a.Caveats, text) }
	if a.NoFile > 0 && a.Descriptors > a.NoFile {
		add(fmt.Sprintf("a host needs %d descriptors but may open only %d: it would fail with \"too many open files\", which the prediction ignores", a.Descriptors, a.NoFile))
		a.Exhausts = true
	}
	if rate > 0 {
		add(fmt.Sprintf("requests above the upstream's %v/s wait here; an upstream that answers 429 makes them fail", rate))
	}
	if a.Hosts > 1 {
		add("the cost of the hosts' shared processors is attributed to the database: separate hosts may be faster")
	}
	if spec.DatabaseP50 > 0 {
		add("database.p50 means a slower database, not a more distant one: its bound falls, too")
	}
	if p := a.Strategy; spec.Writers > 0 && !staged || spec.Pool > 0 || spec.kind() == pipeline.KindJoined {
		add(p + " may write without a pause, unlike the calibration: writes may be faster")
	}
	a.Caveats = append(a.Caveats, notes...)
}

// The stages of an item, in order.
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

// stageNames holds the stages in words: what waits and what is served.
var stageNames = [stages]string{
	"waits for a connection to the upstream", "waits for the upstream's rate limit", "waits for the upstream's capacity", "fetch",
	"waits for a writer", "waits for a connection to the database", "waits for the database's capacity", "write",
}

// Prediction is the result of a simulation.
type Prediction struct {
	Makespan time.Duration `json:"makespan_ns"`
	// Min and Max are the extremes of the makespan over simulations with the items in
	// other orders; zero means that there was only one.
	Min time.Duration `json:"min_ns,omitempty"`
	Max time.Duration `json:"max_ns,omitempty"`
	// Throughput is in items per second, over the makespan.
	Throughput float64 `json:"throughput"`
	// Mean and the percentiles are of the time of an item from the start of its fetch to
	// the end of its write.
	Mean time.Duration `json:"mean_ns"`
	P50  time.Duration `json:"p50_ns"`
	P95  time.Duration `json:"p95_ns"`
	P99  time.Duration `json:"p99_ns"`
	// InFlight is the mean number of items in flight on all hosts.
	InFlight float64 `json:"in_flight"`
	// Peak is the largest number of items in flight on all hosts, and PeakHost that on
	// one.
	Peak     int `json:"peak_in_flight"`
	PeakHost int `json:"peak_in_flight_host"`
	// Upstream and Mongo are the largest numbers of connections in use at once on one
	// host.
	Upstream int `json:"upstream_connections_host"`
	Mongo    int `json:"mongo_connections_host"`
	// Stages holds the mean time of an item in each stage, in order, without empty
	// stages.
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
