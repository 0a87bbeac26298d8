package load

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Rate is the intended number of arrivals per second as a pure function of the time
// since the start.
type Rate interface {
	// PerSecond returns the rate at time t.
	PerSecond(t time.Duration) float64
	// Arrivals returns the integral of the rate: the number of arrivals before t.
	Arrivals(t time.Duration) float64
	// Inverse returns the time at which Arrivals reaches n, or false if it never does.
	Inverse(n float64) (time.Duration, bool)
}

// Constant is a constant rate in arrivals per second.
type Constant float64

// PerSecond returns the rate.
func (c Constant) PerSecond(time.Duration) float64 { return float64(c) }

// Arrivals returns the rate times t.
func (c Constant) Arrivals(t time.Duration) float64 { return float64(c) * t.Seconds() }

// Inverse returns n divided by the rate.
func (c Constant) Inverse(n float64) (time.Duration, bool) {
	if c <= 0 {
		return 0, false
	}
	return seconds(n / float64(c))
}

// Linear is a rate that changes linearly from From to To during Over and then
// stays constant.
type Linear struct {
	From, To float64
	Over     time.Duration
}

// PerSecond returns the interpolated rate, or To after the end of the ramp.
func (l Linear) PerSecond(t time.Duration) float64 {
	if t >= l.Over {
		return l.To
	}
	return l.From + (l.To-l.From)*t.Seconds()/l.Over.Seconds()
}

// Arrivals returns the area under the line.
func (l Linear) Arrivals(t time.Duration) float64 {
	ramp := min(t, l.Over)
	return (l.From+l.PerSecond(ramp))/2*ramp.Seconds() + l.To*(t-ramp).Seconds()
}

// Inverse solves the quadratic equation of the ramp, in the form that is free of
// cancellation for small slopes.
func (l Linear) Inverse(n float64) (time.Duration, bool) {
	if ramp := l.Arrivals(l.Over); n > ramp || l.Over <= 0 {
		after, ok := Constant(l.To).Inverse(n - ramp)
		return l.Over + after, ok
	}
	slope := (l.To - l.From) / l.Over.Seconds()
	root := math.Sqrt(max(0, l.From*l.From+2*slope*n))
	if l.From+root == 0 {
		return 0, n == 0
	}
	return seconds(2 * n / (l.From + root))
}

// Step is a constant rate for a given time.
type Step struct {
	Rate float64
	For  time.Duration
}

// Steps is a sequence of rates; the last one lasts indefinitely.
type Steps []Step

// PerSecond returns the rate of the step at t.
func (s Steps) PerSecond(t time.Duration) float64 {
	for _, step := range s[:len(s)-1] {
		if t < step.For {
			return step.Rate
		}
		t -= step.For
	}
	return s[len(s)-1].Rate
}

// Arrivals returns the sum over the steps.
func (s Steps) Arrivals(t time.Duration) (sum float64) {
	for _, step := range s[:len(s)-1] {
		if t < step.For {
			return sum + step.Rate*t.Seconds()
		}
		sum += step.Rate * step.For.Seconds()
		t -= step.For
	}
	return sum + s[len(s)-1].Rate*t.Seconds()
}

// Inverse finds the step in which the sum reaches n.
func (s Steps) Inverse(n float64) (time.Duration, bool) {
	var start time.Duration
	for _, step := range s[:len(s)-1] {
		in := step.Rate * step.For.Seconds()
		if n < in {
			t, ok := Constant(step.Rate).Inverse(n)
			return start + t, ok
		}
		n -= in
		start += step.For
	}
	t, ok := Constant(s[len(s)-1].Rate).Inverse(n)
	return start + t, ok
}

// Sine is a rate that oscillates around Mean; it starts at the mean, rising.
type Sine struct {
	Mean, Amplitude float64 // Amplitude is at most Mean
	Period          time.Duration
}

// PerSecond returns mean + amplitude · sin(2πt/period).
func (s Sine) PerSecond(t time.Duration) float64 {
	return s.Mean + s.Amplitude*math.Sin(s.phase(t))
}

// Arrivals returns its integral.
func (s Sine) Arrivals(t time.Duration) float64 {
	return s.Mean*t.Seconds() + s.Amplitude*s.Period.Seconds()/(2*math.Pi)*(1-math.Cos(s.phase(t)))
}

func (s Sine) phase(t time.Duration) float64 { return 2 * math.Pi * t.Seconds() / s.Period.Seconds() }

// Inverse bisects the integral, which never falls, to the nanosecond.
func (s Sine) Inverse(n float64) (time.Duration, bool) {
	if s.Mean <= 0 {
		return 0, false
	}
	high, ok := seconds(n/s.Mean + s.Period.Seconds())
	if !ok {
		return 0, false
	}
	var low time.Duration
	for low < high {
		middle := low + (high-low)/2
		if s.Arrivals(middle) < n {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, true
}

// seconds returns s as a duration, or false if it is too long for one.
func seconds(s float64) (time.Duration, bool) {
	if ns := s * 1e9; ns < math.MaxInt64/2 {
		return time.Duration(ns), true
	}
	return 0, false
}

// Validate returns an error if a parameter of the rate is out of range.
func Validate(r Rate) error {
	bad := func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) || v < 0 }
	switch r := r.(type) {
	case Constant:
		if bad(float64(r)) {
			return fmt.Errorf("rate must be at least 0 (got %v)", float64(r))
		}
	case Linear:
		if bad(r.From) || bad(r.To) || r.Over < 0 {
			return fmt.Errorf("rates must be at least 0 (got %v to %v over %v)", r.From, r.To, r.Over)
		}
	case Steps:
		if len(r) == 0 {
			return errors.New("steps must have at least one step")
		}
		for i, s := range r {
			if bad(s.Rate) || s.For <= 0 && i < len(r)-1 {
				return fmt.Errorf("step %d must have a rate of at least 0 for more than 0s (got %v for %v)", i, s.Rate, s.For)
			}
		}
	case Sine:
		if bad(r.Mean) || bad(r.Amplitude) || r.Amplitude > r.Mean || r.Period <= 0 {
			return fmt.Errorf("sine must have an amplitude up to its mean and a period above 0s (got mean %v, amplitude %v, period %v)", r.Mean, r.Amplitude, r.Period)
		}
	}
	return nil
}
