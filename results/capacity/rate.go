package capacity

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
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

// Probe is a rate to try.
type Probe struct {
	Rate     float64
	Window   time.Duration
	Confirms bool
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

// SearchOptions bound a search. Rates are in reports a second.
type SearchOptions struct {
	// Start is the first rate. Most is the highest and Least the lowest that is tried.
	Start, Least, Most float64
	// Window of a probe, and Confirm of one that confirms.
	Window, Confirm time.Duration
	// Step is the factor of the ramp. Default 2.
	Step float64
	// Ratio of the lowest rate that failed to the highest that held at which
	// bisecting ends. Default 1.1.
	Ratio float64
	// Gap is the most that the lowest rate that failed may be above one that is
	// given, as a factor, where nobody can tell in between. Default 1.25.
	Gap float64
	// Confirmations is how many rates are tried for the longer window, each a
	// tenth below the one before. Default 8.
	Confirmations int
}

// Least and greatest that the options may be.
const (
	leastRatio = 1.02 // rates are rounded to three digits
	stepDown   = 0.9  // from a rate that was not confirmed to the next
)

func (o *SearchOptions) fillIn() error {
	if o.Step == 0 {
		o.Step = 2
	}
	if o.Ratio == 0 {
		o.Ratio = 1.1
	}
	if o.Gap == 0 {
		o.Gap = 1.25
	}
	if o.Confirmations == 0 {
		o.Confirmations = 8
	}
	switch {
	case !(o.Least > 0 && o.Least <= o.Start && o.Start <= o.Most) || math.IsInf(o.Most, 0):
		return fmt.Errorf("search a rate from %v, at least %v, at most %v: allowed: least ≤ start ≤ most, all above 0", o.Start, o.Least, o.Most)
	case o.Ratio < leastRatio || o.Step <= o.Ratio || o.Gap < o.Ratio:
		return fmt.Errorf("search a rate by steps of %v until the ratio is %v, with a gap of %v: allowed: a ratio from %v, steps and gap above it", o.Step, o.Ratio, o.Gap, leastRatio)
	case o.Window <= 0 || o.Confirm < o.Window || o.Confirmations < 1:
		return errors.New("search a rate: allowed: windows above 0, one that confirms not shorter than the others, at least 1 of them")
	}
	return nil
}

// Probes is how many a search takes at most: the ramp up and the bisection of
// one step, each twice where nobody can tell at first, the ramp down, and the
// confirmations.
func (o SearchOptions) Probes() (int, error) {
	if err := o.fillIn(); err != nil {
		return 0, err
	}
	steps := func(from, to float64) int { return int(math.Ceil(math.Log(to/from)/math.Log(o.Step))) + 1 }
	bisections := int(math.Ceil(math.Log2(math.Log(o.Step)/math.Log(o.Ratio)))) + 2 // rounding
	return 2*(steps(o.Least, o.Most)+bisections) + steps(o.Least, o.Start) + o.Confirmations, nil
}

// Search finds the highest rate that a system sustains: it ramps the rate up
// until one fails, or down until one holds, bisects between the two on a
// logarithmic scale, and confirms the highest that held for a longer window,
// stepping down as long as that fails. It supposes that what fails at a rate
// fails above it; noise costs accuracy, not truth: a rate is given only when
// it held for the longer window.
//
// A rate at which nobody can tell bounds the search like one that failed, but
// is no evidence: there is a result only when a rate failed that is below it or
// a little above it. It is tried once more before the search gives up, for noise
// may have passed.
//
// It is a machine of steps: what was found so far is there at any time.
type Search struct {
	o      SearchOptions
	points []Point
	held   float64 // the highest; 0: none
	bound  float64 // the lowest that did not hold; 0: none
	failed float64 // the lowest that failed; 0: none
	next   Probe
	end    End
	tries  int  // for the longer window
	again  bool // what nobody could tell was tried a second time
}

// NewSearch checks the options.
func NewSearch(o SearchOptions) (*Search, error) {
	if err := o.fillIn(); err != nil {
		return nil, err
	}
	s := &Search{o: o, end: Unfinished}
	s.try(o.Start)
	return s, nil
}

// Next is the rate to try next; false: the search has ended.
func (s *Search) Next() (Probe, bool) { return s.next, s.end == Unfinished }

// Add takes what became of the rate that Next asked for.
func (s *Search) Add(p Point) {
	if s.end != Unfinished {
		return
	}
	p.Rate, p.Window, p.Confirms = s.next.Rate, s.next.Window, s.next.Confirms
	s.points = append(s.points, p)
	switch p.Decision {
	case verdict.Passed:
		s.held = p.Rate
	case verdict.Failed:
		s.failed = p.Rate
		fallthrough
	case verdict.Inconclusive:
		s.bound = p.Rate
	}
	if p.Confirms {
		s.confirmed(p)
		return
	}
	s.narrow()
}

// narrow decides on the next rate from the bounds that there are.
func (s *Search) narrow() {
	switch {
	case s.bound == 0 && s.held >= s.o.Most:
		s.confirm(s.held)
	case s.bound == 0:
		s.try(min(rounded(s.held*s.o.Step), s.o.Most))
	case s.held == 0 && s.bound <= s.o.Least:
		s.lowest()
	case s.held == 0:
		s.try(max(rounded(s.bound/s.o.Step), s.o.Least))
	case s.bound/s.held > s.o.Ratio:
		s.try(rounded(math.Sqrt(s.held * s.bound)))
	case !s.near(s.held) && !s.again: // noise may be over by now
		s.again, s.bound = true, s.failed
		s.narrow()
	default:
		s.confirm(s.held)
	}
}

// near says whether a rate failed that is not far above this one.
func (s *Search) near(rate float64) bool { return s.failed > 0 && s.failed <= rate*s.o.Gap }

// lowest ends a search of which nothing held.
func (s *Search) lowest() {
	if s.end = Below; s.failed != s.bound {
		s.end = Undecided
	}
}

func (s *Search) confirmed(p Point) {
	switch {
	case p.Decision == verdict.Passed && s.bound == 0:
		s.end = AtLeast
	case p.Decision == verdict.Passed:
		s.end = Confirmed
	case p.Rate <= s.o.Least:
		s.lowest()
	case s.tries == s.o.Confirmations:
		s.end = Unconfirmed
	default:
		s.held = 0
		s.confirm(max(rounded(p.Rate*stepDown), s.o.Least))
	}
}

func (s *Search) try(rate float64) { s.next = Probe{Rate: rate, Window: s.o.Window} }

func (s *Search) confirm(rate float64) {
	if s.bound != 0 && !s.near(rate) {
		s.end = Undecided
		return
	}
	s.tries++
	s.next = Probe{Rate: rate, Window: s.o.Confirm, Confirms: true}
}

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

// Result is what was found so far.
func (s *Search) Result() Rate {
	r := Rate{End: s.end, Failed: s.failed, Points: slices.Clone(s.points)}
	for _, p := range s.points {
		if p.Decision == verdict.Passed && (s.bound == 0 || p.Rate < s.bound) {
			r.Held = max(r.Held, p.Rate)
		}
	}
	if s.end == Confirmed || s.end == AtLeast {
		r.Confirmed = s.held
	}
	return r
}

// Decided says whether the search found a bound of the rate.
func (r Rate) Decided() bool { return r.End == Confirmed || r.End == AtLeast || r.End == Below }

// rounded to three significant digits, so that a rate can be read.
func rounded(rate float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(rate, 'g', 3, 64), 64)
	return r
}
