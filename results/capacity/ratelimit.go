package capacity

import "fmt"

// RateLimit is the limit to take where reports come when they come: what a plan
// found whose variants are limits.
type RateLimit struct {
	// Limit is the smallest whose rate may reach Reach of the highest that was
	// confirmed; 0: none has a confirmed rate, or some are not decided, of which
	// one may sustain more, or a smaller one as much.
	Limit int `json:"limit,omitempty"`
	// Rate that Limit was confirmed to sustain, and Highest of all limits, at Peak,
	// in reports a second.
	Rate    float64 `json:"rate,omitempty"`
	Highest float64 `json:"highest,omitempty"`
	Peak    int     `json:"peak_limit,omitempty"`
	// Why none can be named; empty: all limits were decided.
	Why string `json:"why,omitempty"`
}

// limitOfRates chooses among variants that are limits, in rising order; nil: they are none.
//
// What a limit sustains lies between its confirmed rate and the lowest that failed:
// one is passed over only where even the latter is below what is asked for.
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
		r.Why = fmt.Sprintf("limits that are not decided: %d of %d", open, len(limits))
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
