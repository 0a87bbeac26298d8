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

// RateBounds holds the parameters of a search for a rate. Rates are in reports per second.
type RateBounds struct {
	// Start is the first rate, Min the lowest and Max the highest that may be tried.
	Start, Min, Max float64
	// Window is the duration of a probe, and Confirm that of a confirmation.
	Window, Confirm time.Duration
	// Step is the factor of the ramp. Default 2.
	Step float64
	// Ratio of the lowest failed rate to the highest passed one at which bisection ends.
	// Default 1.1.
	Ratio float64
	// Gap is the greatest ratio of the lowest failed rate to the result if rates between
	// them are inconclusive. Default 1.25.
	Gap float64
	// Confirmations is the greatest number of rates that are tried for the longer window,
	// the second a twentieth below the first, and each other one a tenth below the
	// previous one. Default 8.
	Confirmations int
	// Repeats is the number of longer windows in a row that a rate must pass. Default 1.
	Repeats int
}

// Bounds of the options.
const (
	minRatio = 1.02 // rates are rounded to three digits
	stepDown = 0.9  // the ratio of the next rate to one that was not confirmed
	// firstStepDown is that to the first one, which passed for the shorter window: a
	// queue that this hides exceeds the capacity by a few percent, and the result must
	// be within 10 % of it.
	firstStepDown = 0.95
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
	if o.Repeats == 0 {
		o.Repeats = 1
	}
	switch {
	case !(o.Min > 0 && o.Min <= o.Start && o.Start <= o.Max) || math.IsInf(o.Max, 0):
		return fmt.Errorf("search a rate: want 0 < min ≤ start ≤ max (got start %v, min %v, max %v)", o.Start, o.Min, o.Max)
	case o.Ratio < minRatio || o.Step <= o.Ratio || o.Gap < o.Ratio:
		return fmt.Errorf("search a rate: want steps and gap above the ratio (got steps of %v, ratio %v, gap %v), and a ratio of at least %v", o.Step, o.Ratio, o.Gap, minRatio)
	case o.Window <= 0 || o.Confirm < o.Window || o.Confirmations < 1 || o.Repeats < 1:
		return errors.New("search a rate: windows must be above 0, and there must be at least 1 confirmation, whose window is not shorter than the others")
	}
	return nil
}

// Probes returns the greatest number of probes of a search: the ramp up and the bisection
// of one step, twice each if they are inconclusive at first, the ramp down, and the
// confirmations.
func (o RateBounds) Probes() (int, error) {
	if err := o.fillIn(); err != nil {
		return 0, err
	}
	steps := func(from, to float64) int { return int(math.Ceil(math.Log(to/from)/math.Log(o.Step))) + 1 }
	bisections := int(math.Ceil(math.Log2(math.Log(o.Step)/math.Log(o.Ratio)))) + 2 // rounding
	return 2*(steps(o.Min, o.Max)+bisections) + steps(o.Min, o.Start) + o.Confirmations*o.Repeats, nil
}

// RateSearch finds the highest rate that a system sustains. It ramps the rate up until one
// fails, or down until one passes, bisects between the two on a logarithmic scale, and
// confirms the highest rate that passed by longer windows, stepping down while one of them
// fails. It assumes that a system that fails at a rate fails at all higher ones. Noise can
// make the result less accurate, but not wrong, because the result always passed the
// longer window.
//
// An inconclusive rate bounds the search like a failed one, but is not evidence: there is a
// result only if a rate failed that is below it or slightly above it. It is tried once
// more before the search gives up, because noise may have passed.
//
// The search is a state machine whose result so far is available at any time.
type RateSearch struct {
	o       RateBounds
	points  []capacity.Point
	passed  float64 // the highest; zero means none
	bound   float64 // the lowest that did not hold; zero means none
	failed  float64 // the lowest that failed; zero means none
	next    Probe
	end     capacity.End
	tries   int  // rates for the longer window
	passes  int  // longer windows of the last rate
	retried bool // an inconclusive rate was tried a second time
}

// NewRateSearch returns a search. Options out of range are errors.
func NewRateSearch(o RateBounds) (*RateSearch, error) {
	if err := o.fillIn(); err != nil {
		return nil, err
	}
	s := &RateSearch{o: o, end: capacity.Unfinished}
	s.try(o.Start)
	return s, nil
}

// Next returns the next rate to try; false means that the search has ended.
func (s *RateSearch) Next() (Probe, bool) { return s.next, s.end == capacity.Unfinished }

// Add records the result of the rate that Next returned.
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

// narrow selects the next rate from the current bounds.
func (s *RateSearch) narrow() {
	switch {
	case s.bound == 0 && s.passed >= s.o.Max:
		s.confirm(s.passed)
	case s.bound == 0:
		s.try(min(rounded(s.passed*s.o.Step), s.o.Max))
	case s.passed == 0 && s.bound <= s.o.Min:
		s.lowest()
	case s.passed == 0:
		s.try(max(rounded(s.bound/s.o.Step), s.o.Min))
	case s.bound/s.passed > s.o.Ratio:
		s.try(rounded(math.Sqrt(s.passed * s.bound)))
	case !s.near(s.passed) && !s.retried: // noise may be over by now
		s.retried, s.bound = true, s.failed
		s.narrow()
	default:
		s.confirm(s.passed)
	}
}

// near reports whether a rate failed that is slightly above this one.
func (s *RateSearch) near(rate float64) bool { return s.failed > 0 && s.failed <= rate*s.o.Gap }

// lowest ends a search in which no rate passed.
func (s *RateSearch) lowest() {
	if s.end = capacity.Below; s.failed != s.bound {
		s.end = capacity.Undecided
	}
}

func (s *RateSearch) confirmed(p capacity.Point) {
	if p.Decision == verdict.Passed {
		s.passes++
	}
	switch {
	case p.Decision == verdict.Passed && s.passes < s.o.Repeats: // the same once more
	case p.Decision == verdict.Passed && s.bound == 0:
		s.end = capacity.AtLeast
	case p.Decision == verdict.Passed:
		s.end = capacity.Confirmed
	case p.Rate <= s.o.Min:
		s.lowest()
	case s.tries == s.o.Confirmations:
		s.end = capacity.Unconfirmed
	default:
		ratio := stepDown
		if s.tries == 1 {
			ratio = firstStepDown
		}
		s.passed = 0
		s.confirm(max(rounded(p.Rate*ratio), s.o.Min))
	}
}

func (s *RateSearch) try(rate float64) { s.next = Probe{Rate: rate, Window: s.o.Window} }

func (s *RateSearch) confirm(rate float64) {
	if s.bound != 0 && !s.near(rate) {
		s.end = capacity.Undecided
		return
	}
	s.tries++
	s.passes = 0
	s.next = Probe{Rate: rate, Window: s.o.Confirm, Confirms: true}
}

// Result returns the result so far.
func (s *RateSearch) Result() capacity.Rate {
	r := capacity.Rate{End: s.end, Failed: s.failed, Points: slices.Clone(s.points)}
	for _, p := range s.points {
		if p.Decision == verdict.Passed && (s.bound == 0 || p.Rate < s.bound) {
			r.Met = max(r.Met, p.Rate)
		}
	}
	if s.end == capacity.Confirmed || s.end == capacity.AtLeast {
		r.Confirmed, r.Confirmations = s.passed, s.passes
	}
	return r
}

// rounded rounds a rate to three significant digits, for readability.
func rounded(rate float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(rate, 'g', 3, 64), 64)
	return r
}
