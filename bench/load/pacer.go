package load

import (
	"context"
	"fmt"
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
	traced  *traced // nil means that requests are not traced

	mu       sync.Mutex
	began    time.Time     // zero before the first request, unless Options.Start set it
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
	p := &pacer{ctx: ctx, due: o.Due, clock: clock, began: o.Start, schedule: schedule{arrivals: o.Arrivals}, intended: map[uint64]time.Duration{}}
	p.next, p.hasNext = p.schedule.next()
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
	p.next, p.hasNext = p.schedule.next()
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
	if p.traced != nil {
		e.Start = p.began
		e.Connected, e.FirstByte = p.traced.take(n, p.began)
	}
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
	// Share is the part of them that one of several generators sends; zero means all.
	Share Share
}

// Share is the part of a schedule that one of several generators sends: of the requests,
// counted from 0, number Index and each Of-th one after it. The shares of all indexes
// below Of together are the schedule. The zero value is the whole schedule.
type Share struct {
	Index int `json:"index"`
	Of    int `json:"of"`
}

// Number returns the number that request n of the share has in the schedule, both counted
// from 0.
func (s Share) Number(n uint64) uint64 { return uint64(s.Index) + n*uint64(max(s.Of, 1)) }

// whole reports whether the share is the whole schedule.
func (s Share) whole() bool { return s.Of <= 1 }

// validate returns an error if the share is not one of the schedule.
func (s Share) validate() error {
	if s.Index < 0 || s.Index >= max(s.Of, 1) {
		return fmt.Errorf("share must have an index of 0 to %d (got %d)", max(s.Of, 1)-1, s.Index)
	}
	return nil
}

// schedule generates the requests of a share in order. A Poisson process of a changing rate
// is one of rate 1 with its time transformed: arrival n is the time at which the
// integral of the rate reaches the sum of n+1 exponential gaps (Çinlar, Introduction
// to Stochastic Processes, 1975, ch. 4.7). Even arrivals have gaps of 1 and start at once.
type schedule struct {
	arrivals Arrivals
	n        uint64
	sum      float64
}

// next returns the next request, or false if there are no more.
func (s *schedule) next() (Due, bool) {
	share := s.arrivals.Share
	for {
		n := s.n
		position := float64(n)
		if s.arrivals.Poisson { // the sum needs the gaps of the other shares, too
			s.sum += exponential(s.arrivals.Seed, n)
			position = s.sum
		}
		s.n++
		if !share.whole() && n%uint64(share.Of) != uint64(share.Index) {
			continue
		}
		at, ok := s.arrivals.Rate.Inverse(position)
		return Due{Seq: n, Intended: at}, ok && at < s.arrivals.For
	}
}

// Times returns all intended starts.
func (a Arrivals) Times() []time.Duration {
	var times []time.Duration
	for s := (schedule{arrivals: a}); ; {
		due, ok := s.next()
		if !ok {
			return times
		}
		times = append(times, due.Intended)
	}
}

// exponential returns an exponential draw with mean 1, as a pure function of seed and n.
func exponential(seed, n uint64) float64 {
	return -math.Log(rng.Uniform(rng.At(seed^rng.At(n+1, 1), 1)))
}
