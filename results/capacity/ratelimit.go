package capacity

import (
	"fmt"
	"math"
	"time"
)

// RateLimit is the limit to take where reports come when they come: what a plan
// found whose variants are limits.
type RateLimit struct {
	// Limit is the smallest whose rate may reach Reach of the highest that was
	// confirmed; zero means none has a confirmed rate, or some are not decided, of which
	// one may sustain more, or a smaller one as much.
	Limit int `json:"limit,omitempty"`
	// Rate that Limit was confirmed to sustain, and Highest of all limits, at Peak,
	// in reports a second.
	Rate    float64 `json:"rate,omitempty"`
	Highest float64 `json:"highest,omitempty"`
	Peak    int     `json:"peak_limit,omitempty"`
	// Why none can be named; empty means that all limits were decided.
	Why string `json:"why,omitempty"`
}

// limitOfRates chooses among variants that are limits, in rising order; nil means they are none.
//
// What a limit sustains lies between its confirmed rate and the lowest that failed:
// one is passed over only where even the latter is below what is requested.
func limitOfRates(found []Variant, limits map[string]int) *RateLimit {
	if len(limits) == 0 {
		return nil
	}
	r := &RateLimit{}
	open := 0
	for _, v := range found {
		if v.Unmeasured != "" || !v.Decided() {
			open++
		}
		if v.Confirmed > r.Highest {
			r.Highest, r.Peak = v.Confirmed, limits[v.Variant]
		}
	}
	open += len(limits) - len(found)
	if open > 0 {
		r.Why = fmt.Sprintf("undecided limits: %d of %d", open, len(limits))
		return r
	}
	for _, v := range found {
		if v.Confirmed > 0 && (v.End == AtLeast || v.Failed >= Reach*r.Highest) {
			r.Limit, r.Rate = limits[v.Variant], v.Confirmed
			return r
		}
	}
	return r
}

// Waiting is what items that come at random have to expect of a number of slots.
type Waiting struct {
	// Load is the share of the slots that is in use in the mean, Rate that of items a second.
	Load float64 `json:"load"`
	Rate float64 `json:"rate"`
	// Waits is the share of the items that find no free slot, Mean the time that
	// an item waits, those that need not wait included.
	Waits float64       `json:"waits"`
	Mean  time.Duration `json:"mean_wait_ns"`
}

// ErlangC returns the waiting of items that come at rate, in items a second, to
// slots of which each takes service for one in the mean (A. K. Erlang, 1917).
//
// It supposes that items come at random (Poisson), that service times are
// exponential and do not depend on the load, and that any number may wait. Times
// that vary less than that give shorter waits, bursts give longer ones.
//
// Without end the queue grows where rate·service reaches the slots: that is an error.
func ErlangC(rate float64, service time.Duration, slots int) (Waiting, error) {
	a := rate * service.Seconds()
	if !(rate > 0) || service <= 0 || slots < 1 || !(a < float64(slots)) {
		return Waiting{}, fmt.Errorf("waiting for %d slots: %v items per second of %v each mean %.3g at once, which must be above 0 and below the number of slots", slots, rate, service, a)
	}
	// Erlang B by its recurrence, which cannot overflow: all terms are probabilities.
	lost := 1.0
	for k := 1; k <= slots; k++ {
		lost = a * lost / (float64(k) + a*lost)
	}
	load := a / float64(slots)
	waits := lost / (1 - load*(1-lost))
	mean := waits * service.Seconds() / (float64(slots) - a)
	return Waiting{Load: load, Rate: rate, Waits: waits, Mean: time.Duration(math.Round(mean * float64(time.Second)))}, nil
}
