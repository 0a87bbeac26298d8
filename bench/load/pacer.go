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

// pacer holds each request back until it is due, by a clock that is finer than
// vegeta's, and remembers when that was until the request has ended.
type pacer struct {
	ctx      context.Context
	due      func(Due) // nil: nobody
	clock    sleeper
	schedule schedule
	// next is the request to come, if there are more.
	next Due
	more bool

	mu       sync.Mutex
	began    time.Time     // zero: not yet
	stopped  time.Duration // since then; zero means not stopped
	intended map[uint64]time.Duration
}

// sleeper is the clock that a pacer waits by.
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
	p.next.Intended, p.more = p.schedule.next()
	return p
}

// Pace waits for the start of request hits; vegeta need not wait after it.
func (p *pacer) Pace(elapsed time.Duration, hits uint64) (wait time.Duration, stop bool) {
	if !p.more || p.ctx.Err() != nil {
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

// announce reports that the next request is due and continues to the one after it.
func (p *pacer) announce() {
	if p.due != nil {
		p.due(p.next)
	}
	p.next.Seq++
	p.next.Intended, p.more = p.schedule.next()
}

// Rate returns what vegeta's pacers have; nothing of this program asks for it.
func (p *pacer) Rate(elapsed time.Duration) float64 {
	return p.schedule.arrivals.Rate.PerSecond(elapsed)
}

// stop notes when the attack was stopped.
func (p *pacer) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped == 0 && !p.began.IsZero() {
		p.stopped = time.Since(p.began)
	}
}

// drop announces what had been due when the attack was stopped and was still
// held up, by a generator or a machine that was behind. What the schedule has
// after that never was due. To be called when vegeta has ended.
func (p *pacer) drop() {
	if p.ctx.Err() == nil {
		return
	}
	p.stop()
	if p.began.IsZero() { // stopped before it began
		return
	}
	for p.more && p.next.Intended <= p.stopped {
		p.announce()
	}
}

func (p *pacer) ended(r *vegeta.Result, o Options) Ended {
	p.mu.Lock()
	defer p.mu.Unlock()
	begun := r.Timestamp.Sub(p.began)
	e := Ended{
		Report: r.Seq, Intended: p.intended[r.Seq], Begun: begun, At: begun + r.Latency,
		Code: int(r.Code), Text: r.Error,
	}
	if o.Request == nil {
		e.Report = number(r.URL)
	}
	e.Error = errorType(r, o.Success)
	delete(p.intended, r.Seq)
	return e
}

// Arrivals are the intended starts of requests.
type Arrivals struct {
	Rate Rate
	// Poisson has them come at random, independently of each other, with the
	// given rate in the mean: as from many users. False: evenly.
	Poisson bool
	// Seed of the random arrivals; the same seed gives the same times.
	Seed uint64
	// For is the time for which they come.
	For time.Duration
}

// schedule lists intended starts in order. A Poisson process of a rate that
// changes is one of rate 1 whose time is stretched: arrival n is the place where the
// rate's integral reaches the sum of n+1 exponential gaps (Çinlar, Introduction
// to Stochastic Processes, 1975, ch. 4.7). Even arrivals have gaps of 1, the
// first at once.
type schedule struct {
	arrivals Arrivals
	n        uint64
	sum      float64
}

// next returns when the next one is due, false when there is none any more.
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

// Times lists all of them; for tests and plans of bounded length.
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

// exponential returns a draw with mean 1, a pure function of seed and n.
func exponential(seed, n uint64) float64 {
	return -math.Log(rng.Uniform(rng.At(seed^rng.At(n+1, 1), 1)))
}
