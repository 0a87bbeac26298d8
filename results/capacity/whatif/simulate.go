package whatif

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/scenarios/pipeline"
)

// longest is the most time, in ns, that a simulation may add up to: 30 years.
const longest = 1e18

// Simulate runs the model once. The same seed gives the same prediction.
//
// The times of the items are a Latin hypercube sample of the distributions (M. D.
// McKay, R. J. Beckman, W. J. Conover, Technometrics 21(2), 1979): one of each
// of as many equal parts as there are items, in random order. The mean of a
// sample so is that of the distribution, nearly, however few the items are.
func Simulate(m Model, seed uint64) (Prediction, error) {
	if err := m.Validate(); err != nil {
		return Prediction{}, err
	}
	work := float64(m.Items) * (m.Fetch.at(steps-1) + m.Write.at(steps-1) + m.Checkout.at(steps-1) + m.Connect.at(steps-1))
	if m.Rate > 0 {
		work += float64(m.Items) * 1e9 / m.Rate
	}
	if work > longest {
		return Prediction{}, fmt.Errorf("simulate %d items: it may take %.3g years; allowed: %.3g", m.Items, work/longest*30, 30.0)
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
	jobs    []job   // that are or were under way
	unused  []int32 // jobs to use again
	hosts   []host
	// fetchPart and writePart say which part of the distribution is whose.
	fetchPart, writePart []uint32
	interval, admit      float64 // of the rate limit, and when the next may pass
	upstream, database   station
	started              int32
	flying, peak         int
	area, changed        float64 // of items in flight over time, up to changed
	spent                [stages]float64
	times                *hdrhistogram.Histogram
	// others adds up how many other writes were under way as one began, of the
	// writes without the first tenth and the last; counted is how many that are.
	others         float64
	begun, counted int
	total          float64 // of all items' times
}

// host is one that runs the pipeline.
type host struct {
	left      int // items not started
	unfetched int
	slots     int // that are free
	writers   int // that are free
	queue     int // places for what is fetched and waits for a writer
	ready     line
	blocked   line // fetched by slots that cannot go on, there being no place
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

// parts is 0 to the number of items in random order.
func (s *simulation) parts() []uint32 {
	p := make([]uint32, s.m.Items)
	for i := range p {
		j := s.random.IntN(i + 1)
		p[i] = p[j]
		p[j] = uint32(i)
	}
	return p
}

// draw is a duration of the given part of d.
func (s *simulation) draw(d Distribution, part uint32) int64 {
	return int64(math.Round(d.quantile((float64(part) + s.random.Float64()) / float64(s.m.Items))))
}
