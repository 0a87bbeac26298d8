package load

import (
	"context"
	"math"
	"sync"
	"time"

	"floodgate/mockupstream/precise"
	"floodgate/mockupstream/rng"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// pacer delays each request until it is due, by a clock finer than vegeta's, and
// remembers that time until the request has ended.
type pacer struct {
	ctx      context.Context
	due      func(Due) // nil means that nothing is called
	clock    sleeper
	schedule schedule
	// next is the next request, if hasNext.
	next    Due
	hasNext bool

	mu       sync.Mutex
	began    time.Time     // zero before the first request
	stopped  time.Duration // since began; zero means not stopped
	intended map[uint64]time.Duration
}

// sleeper is the clock of a pacer.
type sleeper interface {
	Sleep(ctx context.Context, d time.Duration) error
	Close()
}

func newPacer(ctx context.Context, o Options) *pacer {
	clock := o.clock
	if clock == nil {
		clock = precise.New()
	}
	p := &pacer{ctx: ctx, due: o.Due, clock: clock, schedule: schedule{arrivals: o.Arrivals}, intended: map[uint64]time.Duration{}}
	p.next.Intended, p.hasNext = p.schedule.next()
	return p
}

// Pace waits until request hits is due, so that vegeta need not wait.
func (p *pacer) Pace(elapsed time.Duration, hits uint64) (wait time.Duration, stop bool) {
	if !p.hasNext || p.ctx.Err() != nil {
		return 0, true
	}
	p.mu.Lock()
	if p.began.IsZero() {
		p.began = time.Now().Add(-elapsed)
	}
	p.mu.Unlock()
	if ahead := p.next.Intended - time.Since(p.began); ahead > 0 && p.clock.Sleep(p.ctx, ahead) != nil {
		return 0, true
	}
	p.mu.Lock()
	p.intended[hits] = p.next.Intended
	p.mu.Unlock()
	p.announce()
	return 0, false
}

// announce passes the next request to due and advances to the one after it.
func (p *pacer) announce() {
	if p.due != nil {
		p.due(p.next)
	}
	p.next.Seq++
	p.next.Intended, p.hasNext = p.schedule.next()
}

// Rate implements vegeta.Pacer.
func (p *pacer) Rate(elapsed time.Duration) float64 {
	return p.schedule.arrivals.Rate.PerSecond(elapsed)
}

// stop records when the attack was stopped.
func (p *pacer) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped == 0 && !p.began.IsZero() {
		p.stopped = time.Since(p.began)
	}
}

// announceDropped announces the requests that were due when the attack was stopped,
// but that a slow generator or machine had not started. Later requests of the schedule
// never became due. It must be called after vegeta has ended.
func (p *pacer) announceDropped() {
	if p.ctx.Err() == nil {
		return
	}
	p.stop()
	if p.began.IsZero() { // stopped before the first request
		return
	}
	for p.hasNext && p.next.Intended <= p.stopped {
		p.announce()
	}
}

// result converts vegeta's result of a request, and removes the request's number from it.
func (p *pacer) result(r *vegeta.Result, o Options) Ended {
	p.mu.Lock()
	defer p.mu.Unlock()
	begun := r.Timestamp.Sub(p.began)
	var n uint64
	if o.Request != nil {
		n = unnumbered(r)
	} else {
		n = number(r.URL)
	}
	e := Ended{
		Intended: p.intended[r.Seq], Begun: begun, At: begun + r.Latency,
		Code: int(r.Code), Text: r.Error, Error: errorType(r, o.Success),
	}
	e.Report = n
	delete(p.intended, r.Seq)
	return e
}

// Arrivals are the intended starts of requests.
type Arrivals struct {
	Rate Rate
	// Poisson makes them arrive independently of each other with that mean rate, as
	// from many users; false spaces them evenly.
	Poisson bool
	// Seed of Poisson arrivals; the same seed gives the same times.
	Seed uint64
	// For is the duration of the arrivals.
	For time.Duration
}

// schedule generates intended starts in order. A Poisson process of a changing rate
// is one of rate 1 with its time transformed: arrival n is the time at which the
// integral of the rate reaches the sum of n+1 exponential gaps (Çinlar, Introduction
// to Stochastic Processes, 1975, ch. 4.7). Even arrivals have gaps of 1 and start at once.
type schedule struct {
	arrivals Arrivals
	n        uint64
	sum      float64
}

// next returns when the next request is due, or false if there are no more.
func (s *schedule) next() (time.Duration, bool) {
	position := float64(s.n)
	if s.arrivals.Poisson {
		s.sum += exponential(s.arrivals.Seed, s.n)
		position = s.sum
	}
	s.n++
	at, ok := s.arrivals.Rate.Inverse(position)
	return at, ok && at < s.arrivals.For
}

// Times returns all intended starts.
func (a Arrivals) Times() []time.Duration {
	var times []time.Duration
	for s := (schedule{arrivals: a}); ; {
		at, ok := s.next()
		if !ok {
			return times
		}
		times = append(times, at)
	}
}

// exponential returns an exponential draw with mean 1, as a pure function of seed and n.
func exponential(seed, n uint64) float64 {
	return -math.Log(rng.Uniform(rng.At(seed^rng.At(n+1, 1), 1)))
}
