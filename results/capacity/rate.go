package capacity

import (
	"time"

	"floodgate/results/verdict"
)

// Point is one rate that was tried.
type Point struct {
	// Rate in reports a second, that came for Window.
	Rate   float64       `json:"rate"`
	Window time.Duration `json:"window_ns"`
	// Confirms says that this was the longer window, to confirm the rate.
	Confirms bool `json:"confirms,omitempty"`
	// Decision on the rate: passed, failed, or inconclusive where the generator or
	// the mock was the bottleneck.
	Decision verdict.Decision `json:"verdict"`
	// Why it failed or is inconclusive; empty: it passed.
	Why []string `json:"why,omitempty"`
	// Trial is the index of its record.
	Trial int `json:"trial"`
	// Figures that it was judged by.
	Figures
	// Machine that it ran on.
	Machine Machine `json:"machine"`
}

// End is why a search ended.
type End string

// Ends of a search.
const (
	// Confirmed: the rate held for the longer window, and one a little above it failed.
	Confirmed End = "confirmed"
	// AtLeast: the highest rate that was allowed held for the longer window.
	AtLeast End = "at least"
	// Below: the lowest rate that was allowed failed.
	Below End = "below"
	// Unconfirmed: no rate that was tried held for the longer window.
	Unconfirmed End = "unconfirmed"
	// Undecided: the generator or the mock was the bottleneck.
	Undecided = End(verdict.Undecided)
	// Unfinished: it has not ended.
	Unfinished End = "unfinished"
)

// Rate is what a search found.
type Rate struct {
	End End `json:"end"`
	// Confirmed rate in reports a second; 0: there is none.
	Confirmed float64 `json:"confirmed,omitempty"`
	// Failed is the lowest rate that failed; 0: none did.
	Failed float64 `json:"failed,omitempty"`
	// Held is the highest rate that held for the short window or the long one,
	// below all that did not; 0: none. It is no result: nobody confirmed it.
	Held float64 `json:"held,omitempty"`
	// Points in the order in which they were tried.
	Points []Point `json:"points"`
}

// Decided says whether the search found a bound of the rate.
func (r Rate) Decided() bool { return r.End == Confirmed || r.End == AtLeast || r.End == Below }
