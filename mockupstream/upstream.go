package mockupstream

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"floodgate/mockupstream/precise"
	"floodgate/mockupstream/strictyaml"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Upstream is the mock: an http.Handler that answers GET /items/…, or the requests
// of the profile, and GET /stats, /metrics and /healthz. Create it with New; call Close when done.
type Upstream struct {
	clock   *precise.Clock
	metrics http.Handler
	buffers sync.Pool // of *[]byte
	header  []string  // Content-Type of an answer
	run     atomic.Pointer[run]

	inFlight                     atomic.Int64
	connections, peakConnections atomic.Int64
	accepted                     atomic.Int64
	setting                      sync.Mutex // serializes Set
}

// run is a profile in force and its statistics.
type run struct {
	seed     uint64
	route    *Route // nil means GET /items/…
	records  string // path of the records in answers; empty means the built-in answer
	content  []byte // the answer to every request; empty means a generated one
	began    time.Time
	stages   []stage
	shards   []shard
	runnable []uint64 // the histogram of runnable at the start of the run

	inFlight, peakInFlight atomic.Int64 // of the requests that began under it
}

// flight is a request in flight.
type flight struct {
	u      *Upstream
	run    *run
	landed bool
}

// depart counts a request as in flight until it lands.
func (u *Upstream) depart(r *run) flight {
	u.inFlight.Add(1)
	raise(&r.peakInFlight, r.inFlight.Add(1))
	return flight{u: u, run: r}
}

// land counts the request as done. It must be called before the client can see
// the end of the answer, so that a client that keeps to a limit is never seen
// exceeding it. Further calls have no effect.
func (f *flight) land() {
	if f.landed {
		return
	}
	f.landed = true
	f.run.inFlight.Add(-1)
	f.u.inFlight.Add(-1)
}

// stage is a phase prepared for use: the profile in force from after on.
type stage struct {
	after   time.Duration
	profile Profile
	bucket  *bucket
	workers *workers
}

// New returns an Upstream with the behavior of p. It fails if p is not valid.
func New(p Profile, seed uint64) (*Upstream, error) {
	u := &Upstream{header: []string{"application/json"}}
	u.buffers.New = func() any { return new([]byte) }
	if err := u.Set(p, seed); err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(newCollector(u)); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	u.metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	u.clock = precise.New()
	return u, nil
}

// Close ends all requests in flight, without an answer, and frees the clock.
// Close the server first.
func (u *Upstream) Close() { u.clock.Close() }

// Set replaces the profile and the seed, resets statistics and attempts, and
// restarts the phases. Requests in flight finish under the old profile and are
// not counted in the new statistics, except in InFlight. On an error, nothing changes.
func (u *Upstream) Set(p Profile, seed uint64) error {
	if err := p.ready(); err != nil {
		return err
	}
	next := &run{seed: seed, stages: newStages(p), shards: newShards(), records: p.Records, content: []byte(p.Body.Content)}
	if p.Request != nil {
		next.route = p.Request.Route()
	}
	next.runnable, _, _ = runnable(nil)
	u.setting.Lock()
	defer u.setting.Unlock()
	next.began = time.Now()
	u.run.Store(next)
	u.peakConnections.Store(u.connections.Load())
	u.accepted.Store(0)
	return nil
}

// ready validates p and checks that its files have been read.
func (p *Profile) ready() error {
	var unread error
	if p.Body.File != "" && p.Body.Content == "" {
		unread = &strictyaml.Error{Path: "body.file", Reason: fmt.Sprintf("the file %q has not been read", p.Body.File)}
	}
	return errors.Join(p.Validate(), unread, p.eachLatency(func(field string, d *Distribution) error {
		if d.Kind == "replay" && len(d.Samples) == 0 {
			return &strictyaml.Error{Path: field + ".samples", Reason: fmt.Sprintf("none: the file %q has not been read", d.File)}
		}
		return nil
	}))
}

// newStages returns a stage for the profile and one for each phase. A phase
// shares the parts that it does not replace, state included, with the one before.
func newStages(p Profile) []stage {
	base := p.At(-1)
	stages := []stage{{profile: base, bucket: newBucket(base.Rate), workers: newWorkers(base.Capacity)}}
	for _, phase := range p.Phases {
		next := stages[len(stages)-1]
		next.after = time.Duration(phase.After)
		next.profile = phase.apply(next.profile)
		if phase.Rate != nil {
			next.bucket = newBucket(phase.Rate)
		}
		if phase.Capacity != nil {
			next.workers = newWorkers(phase.Capacity)
		}
		stages = append(stages, next)
	}
	return stages
}

// stage returns the stage in force at the time now, and its number.
func (r *run) stage(now time.Duration) (*stage, int) {
	i := len(r.stages) - 1
	for i > 0 && r.stages[i].after > now {
		i--
	}
	return &r.stages[i], i
}

func (r *run) shard(hash uint64) *shard { return &r.shards[hash&uint64(len(r.shards)-1)] }

// ConnState counts connections. Use it as the ConnState of an http.Server.
func (u *Upstream) ConnState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		u.accepted.Add(1)
		raise(&u.peakConnections, u.connections.Add(1))
	case http.StateClosed, http.StateHijacked: // hijacked to be closed at once
		u.connections.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}

// raise raises peak to at least n.
func raise(peak *atomic.Int64, n int64) {
	for {
		old := peak.Load()
		if n <= old || peak.CompareAndSwap(old, n) {
			return
		}
	}
}

// Stats returns a snapshot of the statistics.
func (u *Upstream) Stats() Stats {
	s, _ := u.snapshot()
	return s
}

func (u *Upstream) snapshot() (Stats, tally) {
	r := u.run.Load()
	t := merge(r.shards)
	uptime := time.Since(r.began)
	stage, phase := r.stage(uptime)
	s := Stats{
		Seed: r.seed, UptimeNS: int64(uptime), Phase: phase,
		Requests: t.requests, Keys: t.requests - t.repeated, Repeated: t.repeated, Traced: t.traced,
		InFlight: u.inFlight.Load(), PeakInFlight: r.peakInFlight.Load(),
		Connections: u.connections.Load(), PeakConnections: u.peakConnections.Load(), Accepted: u.accepted.Load(),
		Statuses: map[int]int64{}, Faults: t.faults, BodyBytes: t.bytes,
		RateLimited: t.limited, Overloaded: t.overloaded, Queued: t.queued, Disconnected: t.disconnected,
		Injected: summarize(t.injected), Actual: summarize(t.actual), Late: summarize(t.late),
	}
	for status, n := range t.statuses {
		if n > 0 {
			s.Statuses[status] = n
		}
	}
	s.LateMedianNS, s.LateP99NS = s.Late.P50NS, s.Late.P99NS
	_, median, p99 := runnable(r.runnable)
	s.RunnableMedianNS, s.RunnableP99NS = int64(median), int64(p99)
	s.judge(&stage.profile)
	return s, t
}
