package mockupstream

import (
	"net/http"
	"time"
)

// Simulator decides on requests as an [Upstream] does, but in virtual time: with the same
// draws, rate limit and capacity, and without a server, a clock or delays. It is not safe
// for concurrent use.
type Simulator struct {
	run      run
	attempts map[uint64]int
}

// Outcome is the outcome of a simulated request.
type Outcome struct {
	// Status of the answer; zero means that the connection ends without one.
	Status int
	// Fault that was injected; nil means none. A request that the rate limit or
	// the capacity refuses draws no fault.
	Fault *Fault
	// First is the time from the request to the first byte of its answer or to
	// its failure, Last the time to the end of both.
	First, Last time.Duration
	// Records in the body of an answer with status 200.
	Records int
}

// NewSimulator returns a Simulator of an Upstream with the behavior of p. It
// fails if p is not valid.
func NewSimulator(p Profile, seed uint64) (*Simulator, error) {
	if err := p.ready(); err != nil {
		return nil, err
	}
	return &Simulator{run: run{seed: seed, stages: newStages(p)}, attempts: map[uint64]int{}}, nil
}

// Request returns the outcome of a request for key at the time now, since the profile was
// set. Requests must be made in the order of their times.
func (s *Simulator) Request(now time.Duration, key string) Outcome {
	hash := hashKey(s.run.seed, key)
	s.attempts[hash]++
	stage, _ := s.run.stage(now)
	a := stage.admit(now, hash, s.attempts[hash])
	switch {
	case a.limited > 0:
		return Outcome{Status: http.StatusTooManyRequests}
	case a.full:
		return Outcome{Status: stage.profile.Capacity.status()}
	}
	fault := a.draw.Fault
	wait := a.begin - now
	o := Outcome{Status: http.StatusOK, Fault: fault, First: wait + a.draw.Delay, Last: wait + a.draw.work(), Records: a.draw.Records}
	if fault == nil {
		return o
	}
	switch fault.Kind {
	case "status":
		o.Status, o.Records = fault.Status, 0
	case "reset", "close":
		o.Status, o.Records = 0, 0
	case "hang":
		o.Status, o.Records, o.First = 0, 0, o.Last
	}
	return o
}

// Admits returns which of the requests at the given times, in their order, the
// rate limit admits. The times count from the moment at which it is set.
func (r RateLimit) Admits(times []time.Duration) []bool {
	b := newBucket(&r)
	admitted := make([]bool, len(times))
	for i, t := range times {
		admitted[i] = b.take(t) == 0
	}
	return admitted
}
