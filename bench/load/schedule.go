package load

import (
	"math"
	"time"

	"floodgate/mockupstream/rng"
)

// Arrivals are the intended starts of requests.
type Arrivals struct {
	Rate Rate
	// Poisson has them come at random, independently of each other, with the
	// given rate in the mean: as from many users. False: evenly.
	Poisson bool
	// Seed of the random arrivals; the same seed gives the same times.
	Seed uint64
	// For is how long they come.
	For time.Duration
}

// schedule lists intended starts in order. A Poisson process of a rate that
// changes is one of rate 1 whose time is stretched: arrival n is where the
// rate's integral reaches the sum of n+1 exponential gaps (Çinlar, Introduction
// to Stochastic Processes, 1975, ch. 4.7). Even arrivals have gaps of 1, the
// first at once.
type schedule struct {
	arrivals Arrivals
	n        uint64
	sum      float64
}

// next is when the next one is due, false when there is none any more.
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

// exponential is a draw with mean 1, a pure function of seed and n.
func exponential(seed, n uint64) float64 {
	return -math.Log(rng.Uniform(rng.At(seed^rng.At(n+1, 1), 1)))
}
