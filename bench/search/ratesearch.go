package search

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"floodgate/results/capacity"
	"floodgate/results/verdict"
)

// Probe is a rate to try.
type Probe struct {
	Rate     float64
	Window   time.Duration
	Confirms bool
}

// RateBounds bound the search of a rate. Rates are in reports a second.
type RateBounds struct {
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
	// Confirmations is the number of rates that are tried for the longer window, each a
	// tenth below the one before. Default 8.
	Confirmations int
}

// Least and greatest that the options may be.
const (
	leastRatio = 1.02 // rates are rounded to three digits
	stepDown   = 0.9  // from a rate that was not confirmed to the next
)

func (o *RateBounds) fillIn() error {
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
		return fmt.Errorf("search a rate: want 0 < least ≤ start ≤ most (got start %v, least %v, most %v)", o.Start, o.Least, o.Most)
	case o.Ratio < leastRatio || o.Step <= o.Ratio || o.Gap < o.Ratio:
		return fmt.Errorf("search a rate: want steps and gap above the ratio (got steps of %v, ratio %v, gap %v), and a ratio of at least %v", o.Step, o.Ratio, o.Gap, leastRatio)
	case o.Window <= 0 || o.Confirm < o.Window || o.Confirmations < 1:
		return errors.New("search a rate: windows must be above 0, and there must be at least 1 confirmation, whose window is not shorter than the others")
	}
	return nil
}

// Probes returns how many a search takes at most: the ramp up and the bisection of
// one step, each twice where nobody can tell at first, the ramp down, and the
// confirmations.
func (o RateBounds) Probes() (int, error) {
	if err := o.fillIn(); err != nil {
		return 0, err
	}
	steps := func(from, to float64) int { return int(math.Ceil(math.Log(to/from)/math.Log(o.Step))) + 1 }
	bisections := int(math.Ceil(math.Log2(math.Log(o.Step)/math.Log(o.Ratio)))) + 2 // rounding
	return 2*(steps(o.Least, o.Most)+bisections) + steps(o.Least, o.Start) + o.Confirmations, nil
}

// RateSearch finds the highest rate that a system sustains: it ramps the rate up
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
type RateSearch struct {
	o      RateBounds
	points []capacity.Point
	passed   float64 // the highest; zero means none
	bound  float64 // the lowest that did not hold; zero means none
	failed float64 // the lowest that failed; zero means none
	next   Probe
	end    capacity.End
	tries  int  // for the longer window
	retried  bool // what nobody could tell was tried a second time
}

// NewRateSearch checks the options.
func NewRateSearch(o RateBounds) (*RateSearch, error) {
	if err := o.fillIn(); err != nil {
		return nil, err
	}
	s := &RateSearch{o: o, end: capacity.Unfinished}
	s.try(o.Start)
	return s, nil
}

// Next returns the rate to try next; false means that the search has ended.
func (s *RateSearch) Next() (Probe, bool) { return s.next, s.end == capacity.Unfinished }

// Add takes what became of the rate that Next requested.
func (s *RateSearch) Add(p capacity.Point) {
	if s.end != capacity.Unfinished {
		return
	}
	p.Rate, p.Window, p.Confirms = s.next.Rate, s.next.Window, s.next.Confirms
	s.points = append(s.points, p)
	switch p.Decision {
	case verdict.Passed:
		s.passed = p.Rate
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
func (s *RateSearch) narrow() {
	switch {
	case s.bound == 0 && s.passed >= s.o.Most:
		s.confirm(s.passed)
	case s.bound == 0:
		s.try(min(rounded(s.passed*s.o.Step), s.o.Most))
	case s.passed == 0 && s.bound <= s.o.Least:
		s.lowest()
	case s.passed == 0:
		s.try(max(rounded(s.bound/s.o.Step), s.o.Least))
	case s.bound/s.passed > s.o.Ratio:
		s.try(rounded(math.Sqrt(s.passed * s.bound)))
	case !s.near(s.passed) && !s.retried: // noise may be over by now
		s.retried, s.bound = true, s.failed
		s.narrow()
	default:
		s.confirm(s.passed)
	}
}

// near reports whether a rate failed that is not far above this one.
func (s *RateSearch) near(rate float64) bool { return s.failed > 0 && s.failed <= rate*s.o.Gap }

// lowest ends a search of which nothing held.
func (s *RateSearch) lowest() {
	if s.end = capacity.Below; s.failed != s.bound {
		s.end = capacity.Undecided
	}
}

func (s *RateSearch) confirmed(p capacity.Point) {
	switch {
	case p.Decision == verdict.Passed && s.bound == 0:
		s.end = capacity.AtLeast
	case p.Decision == verdict.Passed:
		s.end = capacity.Confirmed
	case p.Rate <= s.o.Least:
		s.lowest()
	case s.tries == s.o.Confirmations:
		s.end = capacity.Unconfirmed
	default:
		s.passed = 0
		s.confirm(max(rounded(p.Rate*stepDown), s.o.Least))
	}
}

func (s *RateSearch) try(rate float64) { s.next = Probe{Rate: rate, Window: s.o.Window} }

func (s *RateSearch) confirm(rate float64) {
	if s.bound != 0 && !s.near(rate) {
		s.end = capacity.Undecided
		return
	}
	s.tries++
	s.next = Probe{Rate: rate, Window: s.o.Confirm, Confirms: true}
}

// Result returns what was found so far.
func (s *RateSearch) Result() capacity.Rate {
	r := capacity.Rate{End: s.end, Failed: s.failed, Points: slices.Clone(s.points)}
	for _, p := range s.points {
		if p.Decision == verdict.Passed && (s.bound == 0 || p.Rate < s.bound) {
			r.Met = max(r.Met, p.Rate)
		}
	}
	if s.end == capacity.Confirmed || s.end == capacity.AtLeast {
		r.Confirmed = s.passed
	}
	return r
}

// rounded to three significant digits, so that a rate can be read.
func rounded(rate float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(rate, 'g', 3, 64), 64)
	return r
}
