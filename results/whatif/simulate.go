package whatif

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"

	"floodgate/scenarios/pipeline"
	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest bounds the simulated time, in nanoseconds: 30 years.
const longest = 1e18

// Simulate runs the model once. The same seed gives the same prediction.
//
// The times of the items are a Latin hypercube sample of the distributions (M. D. McKay,
// R. J. Beckman, W. J. Conover, Technometrics 21(2), 1979): one from each of as many
// equal parts as there are items, in random order. The mean of a sample is therefore
// close to that of the distribution, however few the items are.
func Simulate(m Model, seed uint64) (Prediction, error) {
	if err := m.Validate(); err != nil {
		return Prediction{}, err
	}
	work := float64(m.Items) * (m.Fetch.at(steps-1) + m.Write.at(steps-1) + m.Checkout.at(steps-1) + m.Connect.at(steps-1))
	if m.Rate > 0 {
		work += float64(m.Items) * 1e9 / m.Rate
	}
	if work > longest {
		return Prediction{}, fmt.Errorf("simulate %d items: it may take %.3g years (at most %.3g)", m.Items, work/longest*30, 30.0)
	}
	s := newSimulation(m, seed)
	s.begin()
	for len(s.events) > 0 {
		e := s.events.pop()
		s.now = e.at
		switch e.what {
		case admitted:
			s.request(e.job)
		case fetched:
			s.fetched(e.job)
		case connected:
			s.connected(e.job)
		case wrote:
			s.wrote(e.job)
		}
	}
	return s.prediction(), nil
}

// simulation is the state of one run.
type simulation struct {
	m       Model
	writing pipeline.Writing
	random  *rand.Rand
	now     int64
	events  events
	jobs    []job   // in progress, or to be reused
	unused  []int32 // indexes of jobs to be reused
	hosts   []host
	// fetchPart and writePart hold the part of the distribution of each item.
	fetchPart, writePart []uint32
	interval, admit      float64 // of the rate limit, and the time of its next admission
	upstream, database   station
	started              int32
	flying, peak         int
	area, changed        float64 // of items in flight over time, up to changed
	spent                [stages]float64
	times                *hdrhistogram.Histogram
	// others is the sum, over the writes except for the first and the last tenth, of
	// the other writes in progress as one began; counted is the number of those
	// writes.
	others         float64
	begun, counted int
	total          float64 // of all items' times
}

// host is the state of a host.
type host struct {
	left      int // items not started
	unfetched int
	slots     int // free slots
	writers   int // free writers
	queue     int // free places for fetched items that wait for a writer
	ready     line
	blocked   line // fetched by slots that wait for a place in the queue
	conns     station
	pool      station
	made      int // connections to the database
	flying    int
	peak      int
}

func newSimulation(m Model, seed uint64) *simulation {
	s := &simulation{m: m, random: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), hosts: make([]host, m.Hosts)}
	d, _ := pipeline.Define(m.Strategy.Kind)
	s.writing = d.Writing
	s.fetchPart, s.writePart = s.parts(), s.parts()
	s.upstream.limit, s.database.limit = m.Capacity, m.Servers
	if m.Rate > 0 {
		s.interval = 1e9 / m.Rate
	}
	s.times = hdrhistogram.New(1000, int64(longest), 3)
	for i := range s.hosts {
		h := &s.hosts[i]
		h.left = m.share(i)
		slots, writers := m.Strategy.AtOnce()
		h.unfetched, h.slots = h.left, cmp.Or(slots, h.left)
		h.conns.limit, h.pool.limit = m.Conns, m.Pool
		switch s.writing {
		case pipeline.WritesApart:
			h.writers, h.queue = writers, m.Strategy.Queue
		case pipeline.WritesAfterwards:
			h.queue = h.left
		}
	}
	return s
}

// parts returns the numbers from 0 to the number of items minus 1 in random order.
func (s *simulation) parts() []uint32 {
	p := make([]uint32, s.m.Items)
	for i := range p {
		j := s.random.IntN(i + 1)
		p[i] = p[j]
		p[j] = uint32(i)
	}
	return p
}

// draw returns a duration from the given part of d.
func (s *simulation) draw(d Distribution, part uint32) int64 {
	return int64(math.Round(d.quantile((float64(part) + s.random.Float64()) / float64(s.m.Items))))
}

// kind is the kind of an event.
type kind uint8

const (
	admitted  kind = iota // the upstream's rate limit lets the request pass
	fetched               // the answer has arrived
	connected             // the write has a connection
	wrote                 // the write is done
)

// event is a change of the state of a job.
type event struct {
	at   int64 // ns since the start
	job  int32
	what kind
}

// events is a heap with four children per node and the earliest event on top: it is
// half as deep as a binary heap, and the children of a node share a cache line.
type events []event

func (h *events) push(e event) {
	q := append(*h, e)
	i := len(q) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if q[parent].at <= e.at {
			break
		}
		q[i] = q[parent]
		i = parent
	}
	q[i] = e
	*h = q
}

func (h *events) pop() event {
	q := *h
	top, last := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	*h = q
	if len(q) == 0 {
		return top
	}
	i := 0
	for {
		first := 4*i + 1
		if first >= len(q) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(q)); c++ {
			if q[c].at < q[least].at {
				least = c
			}
		}
		if q[least].at >= last.at {
			break
		}
		q[i] = q[least]
		i = least
	}
	q[i] = last
	return top
}

// job is an item in progress. Times are in nanoseconds since the start.
type job struct {
	began  int64 // start of its fetch, including any waiting
	since  int64 // start of the current waiting or service
	number int32 // in the order of the starts
	host   int32
	next   int32 // next job in the same line, or none
}

const none = int32(-1)

// line is a first-in-first-out queue of linked jobs.
type line struct {
	first, last int32
	length      int
}

func (s *simulation) join(l *line, j int32) {
	s.jobs[j].next = none
	if l.length == 0 {
		l.first = j
	} else {
		s.jobs[l.last].next = j
	}
	l.last = j
	l.length++
}

func (s *simulation) leave(l *line) (int32, bool) {
	if l.length == 0 {
		return none, false
	}
	j := l.first
	l.first = s.jobs[j].next
	l.length--
	return j, true
}

// station serves a limited number of jobs at once; a limit of 0 means no limit.
type station struct {
	limit, busy, peak int
	line              line
}

// enter reports whether j is served at once; otherwise it is queued.
func (s *simulation) enter(at *station, j int32) bool {
	if at.limit > 0 && at.busy >= at.limit {
		s.join(&at.line, j)
		return false
	}
	at.busy++
	at.peak = max(at.peak, at.busy)
	return true
}

// exit frees a place and returns the next job, which takes it.
func (s *simulation) exit(at *station) (int32, bool) {
	j, ok := s.leave(&at.line)
	if !ok {
		at.busy--
	}
	return j, ok
}

// begin starts as many items as the limits allow, one per host in turn.
func (s *simulation) begin() {
	for any := true; any; {
		any = false
		for h := range s.hosts {
			if s.hosts[h].slots > 0 && s.hosts[h].left > 0 {
				s.start(int32(h))
				any = true
			}
		}
	}
}

// start starts an item in a free slot, if there are both.
func (s *simulation) start(h int32) {
	at := &s.hosts[h]
	if at.slots == 0 || at.left == 0 {
		return
	}
	at.slots--
	at.left--
	s.fly(at, 1)
	j := int32(len(s.jobs))
	if n := len(s.unused); n > 0 {
		j, s.unused = s.unused[n-1], s.unused[:n-1]
	} else {
		s.jobs = append(s.jobs, job{})
	}
	s.jobs[j] = job{began: s.now, since: s.now, number: s.started, host: h, next: none}
	s.started++
	if s.enter(&at.conns, j) {
		s.pass(j)
	}
}

// fly counts items in flight.
func (s *simulation) fly(at *host, by int) {
	s.area += float64(s.flying) * (float64(s.now) - s.changed)
	s.changed = float64(s.now)
	s.flying += by
	at.flying += by
	s.peak, at.peak = max(s.peak, s.flying), max(at.peak, at.flying)
}

// pass takes j, which has a connection, to the upstream's rate limit.
func (s *simulation) pass(j int32) {
	s.spend(stageConn, j)
	if s.interval == 0 {
		s.request(j)
		return
	}
	s.admit = max(s.admit, float64(s.now))
	at := int64(math.Ceil(s.admit))
	s.admit += s.interval
	s.events.push(event{at, j, admitted})
}

// request sends j to the upstream.
func (s *simulation) request(j int32) {
	s.spend(stageRate, j)
	if s.enter(&s.upstream, j) {
		s.serve(j)
	}
}

func (s *simulation) serve(j int32) {
	s.spend(stageUpstream, j)
	s.events.push(event{s.now + s.draw(s.m.Fetch, s.fetchPart[s.jobs[j].number]), j, fetched})
}

// fetched passes j on to be written.
func (s *simulation) fetched(j int32) {
	s.spend(stageFetch, j)
	h := s.jobs[j].host
	at := &s.hosts[h]
	at.unfetched--
	if next, ok := s.exit(&s.upstream); ok {
		s.serve(next)
	}
	if next, ok := s.exit(&at.conns); ok {
		s.pass(next)
	}
	switch s.writing {
	case pipeline.WritesApart:
		s.stage(h, j)
	case pipeline.WritesAfterwards: // written in the order of the answers here, not of the items
		s.join(&at.ready, j)
		if at.unfetched == 0 {
			at.writers = 1
			s.next(h)
		}
		at.slots++
		s.start(h)
	default:
		s.write(j)
	}
}

// stage gives j to a writer, or puts it into the queue, or keeps its slot until
// there is a place.
func (s *simulation) stage(h, j int32) {
	at := &s.hosts[h]
	if at.writers == 0 && at.ready.length >= at.queue {
		s.join(&at.blocked, j)
		return
	}
	s.join(&at.ready, j)
	s.next(h)
	at.slots++
	s.start(h)
}

// next gives a queued job to a free writer, and its place to a blocked one.
func (s *simulation) next(h int32) {
	at := &s.hosts[h]
	if at.writers == 0 {
		return
	}
	j, ok := s.leave(&at.ready)
	unblocked := false
	if other, waits := s.leave(&at.blocked); waits {
		unblocked = true
		if ok {
			s.join(&at.ready, other)
		} else {
			j, ok = other, true
		}
	}
	if ok {
		at.writers--
		s.write(j)
	}
	if unblocked {
		at.slots++
		s.start(h)
	}
}

// write requests a connection to the database.
func (s *simulation) write(j int32) {
	s.spend(stageHandoff, j)
	if s.enter(&s.hosts[s.jobs[j].host].pool, j) {
		s.checkout(j)
	}
}

// checkout waits for the connection, which is a new or a free one.
func (s *simulation) checkout(j int32) {
	at, d := &s.hosts[s.jobs[j].host], s.m.Checkout
	if at.made < at.pool.busy {
		at.made++
		d = s.m.Connect
	}
	wait := int64(0)
	if d.table != nil {
		wait = int64(math.Round(d.quantile(s.random.Float64())))
	}
	if wait > 0 {
		s.events.push(event{s.now + wait, j, connected})
		return
	}
	s.connected(j)
}

// connected sends j to the database.
func (s *simulation) connected(j int32) {
	s.spend(stagePool, j)
	if s.enter(&s.database, j) {
		s.store(j)
	}
}

func (s *simulation) store(j int32) {
	s.spend(stageDatabase, j)
	if tenth := s.m.Items / 10; s.begun >= tenth && s.begun < s.m.Items-tenth {
		s.others += float64(s.database.busy - 1)
		s.counted++
	}
	s.begun++
	s.events.push(event{s.now + s.draw(s.m.Write, s.writePart[s.jobs[j].number]), j, wrote})
}

// wrote ends j.
func (s *simulation) wrote(j int32) {
	s.spend(stageWrite, j)
	h, took := s.jobs[j].host, s.now-s.jobs[j].began
	at := &s.hosts[h]
	s.fly(at, -1)
	s.total += float64(took)
	_ = s.times.RecordValue(min(took, int64(longest))) // in range
	s.unused = append(s.unused, j)
	if next, ok := s.exit(&s.database); ok {
		s.store(next)
	}
	if next, ok := s.exit(&at.pool); ok {
		s.checkout(next)
	}
	switch s.writing {
	case pipeline.WritesApart, pipeline.WritesAfterwards:
		at.writers++
		s.next(h)
	default:
		at.slots++
		s.start(h)
	}
}

// spend adds the time since the last change of j to a stage.
func (s *simulation) spend(in int, j int32) {
	s.spent[in] += float64(s.now - s.jobs[j].since)
	s.jobs[j].since = s.now
}
