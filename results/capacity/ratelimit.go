package capacity

import (
	"fmt"
	"math"
	"time"
)

// RateLimit is the recommended limit for reports that arrive at random: the result
// of a plan whose variants are limits.
type RateLimit struct {
	// Limit is the smallest limit whose rate may reach [Reach] of the highest
	// confirmed one. It is zero if no limit has a confirmed rate, or if an undecided
	// limit might sustain more, or a smaller one as much.
	Limit int `json:"limit,omitempty"`
	// Rate is the confirmed rate of Limit, and Highest that of all limits, at Peak,
	// in reports per second.
	Rate    float64 `json:"rate,omitempty"`
	Highest float64 `json:"highest,omitempty"`
	Peak    int     `json:"peak_limit,omitempty"`
	// Why is the reason why none can be recommended; empty means that all limits
	// were decided.
	Why string `json:"why,omitempty"`
}

// limitOfRates chooses among variants that are limits, in ascending order; nil means
// that they are not limits.
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
		if v.Confirmed > 0 && (v.End == AtLeast || v.Failed >= RequiredReach*r.Highest) {
			r.Limit, r.Rate = limits[v.Variant], v.Confirmed
			return r
		}
	}
	return r
}

// Waiting describes the waiting times of items that arrive at random at a number of
// slots.
type Waiting struct {
	// Load is the mean share of the slots that is in use, and Rate the number of
	// items per second.
	Load float64 `json:"load"`
	Rate float64 `json:"rate"`
	// Waits is the share of the items that find no free slot, and Mean the mean
	// waiting time of all items.
	Waits float64       `json:"waits"`
	Mean  time.Duration `json:"mean_wait_ns"`
}

// ErlangC returns the waiting times of items that arrive at a rate, in items per
// second, at slots that each take service for one in the mean (A. K. Erlang, 1917).
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
