package whatif

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Errors holds relative errors: 0.05 means that the prediction is 5 % too high.
type Errors struct {
	Makespan float64 `json:"makespan"`
	P99      float64 `json:"p99"`
}

// The target errors for measured points.
const (
	TargetMakespan = 0.05
	TargetP99      = 0.15
)

// Within reports whether both errors are within the targets.
func (e Errors) Within() bool {
	return math.Abs(e.Makespan) <= TargetMakespan && math.Abs(e.P99) <= TargetP99
}

// Check compares the model with one measured point.
type Check struct {
	Variant string `json:"variant"`
	Items   int    `json:"items"`
	// Hosts is the number of hosts; zero means 1.
	Hosts  int `json:"hosts,omitempty"`
	Trials int `json:"trials"`
	// Makespan and P99 are medians of the trials; Min and Max are the extremes of
	// the makespan.
	Makespan time.Duration `json:"makespan_ns"`
	Min      time.Duration `json:"min_ns"`
	Max      time.Duration `json:"max_ns"`
	P99      time.Duration `json:"p99_ns"`
	// InSample is the error of the model that is calibrated with the point; nil
	// means that the point does not take part in the calibration.
	InSample *Errors `json:"in_sample,omitempty"`
	// LeftOut is the error of the model without the point; nil means that it is
	// unknown, as with only two points to calibrate with.
	LeftOut *Errors `json:"left_out,omitempty"`
	// Extrapolated reports that the point is outside the range of the model without
	// it.
	Extrapolated bool `json:"extrapolated,omitempty"`
}

// Validation compares the model with every measured point.
type Validation struct {
	Checks []Check `json:"checks"`
	// InSample and LeftOut hold the largest errors by absolute value, and
	// Extrapolated that of points outside the range of the others; nil means that
	// there is none.
	InSample     *Errors `json:"worst_in_sample,omitempty"`
	LeftOut      *Errors `json:"worst_left_out,omitempty"`
	Extrapolated *Errors `json:"worst_extrapolated,omitempty"`
}

// Fleets returns the checks of the variants that were measured on several hosts, with those
// of one host.
func (v Validation) Fleets() []Check {
	of := map[string]bool{}
	for _, c := range v.Checks {
		of[c.Variant] = of[c.Variant] || c.Hosts > 1
	}
	return slices.DeleteFunc(slices.Clone(v.Checks), func(c Check) bool { return !of[c.Variant] })
}

// Error returns the error of the model that knew least of the point: without it in the
// calibration, or else with it.
func (c Check) Error() Errors {
	if c.LeftOut != nil {
		return *c.LeftOut
	}
	return *c.InSample
}

// Validate predicts every measured point, with and without the point in the
// calibration.
func (s *Sweep) Validate() (Validation, error) {
	var v Validation
	for _, p := range s.all {
		m, known := p.model()
		if !known {
			continue
		}
		c, err := s.check(p, m)
		if err != nil {
			return v, fmt.Errorf("predict the measurements of %q with %d items: %w", p.Variant.Name, p.Items, err)
		}
		v.Checks = append(v.Checks, c)
	}
	v.sum()
	return v, nil
}

func (s *Sweep) check(p Point, m Model) (Check, error) {
	c := Check{Variant: p.Variant.Name, Items: p.Items, Trials: p.Trials, Makespan: p.Makespan, Min: p.Min, Max: p.Max, P99: p.P99}
	if p.hosts() > 1 {
		c.Hosts = p.hosts()
	}
	with, beyond, err := s.errors(p, m)
	if err != nil {
		return c, err
	}
	i := slices.IndexFunc(s.points, func(b busy) bool {
		return b.Variant.Name == p.Variant.Name && b.Items == p.Items && b.hosts() == p.hosts()
	})
	if i < 0 {
		c.LeftOut, c.Extrapolated = &with, beyond
		return c, nil
	}
	c.InSample = &with
	if len(s.points) < 3 {
		return c, nil
	}
	rest := *s
	rest.points = slices.Delete(slices.Clone(s.points), i, i+1)
	without, beyond, err := rest.errors(p, m)
	c.LeftOut, c.Extrapolated = &without, beyond || i == 0 || i == len(s.points)-1
	return c, err
}

// sum sets the largest errors.
func (v *Validation) sum() {
	worst := func(w **Errors, e *Errors) {
		if e == nil {
			return
		}
		if *w == nil {
			*w = &Errors{}
		}
		(*w).Makespan = max((*w).Makespan, math.Abs(e.Makespan))
		(*w).P99 = max((*w).P99, math.Abs(e.P99))
	}
	for _, c := range v.Checks {
		worst(&v.InSample, c.InSample)
		if c.Extrapolated {
			worst(&v.Extrapolated, c.LeftOut)
		} else {
			worst(&v.LeftOut, c.LeftOut)
		}
	}
}

func (s *Sweep) errors(p Point, m Model) (e Errors, beyond bool, err error) {
	m, l, err := s.solve(m, shape{})
	if err != nil {
		return e, false, err
	}
	got, err := repeated(m)
	if err != nil {
		return e, false, err
	}
	return Errors{
		Makespan: float64(got.Makespan)/float64(p.Makespan) - 1,
		P99:      float64(got.P99)/float64(p.P99) - 1,
	}, l.beyond, nil
}

// repeats is the number of simulations of a model with different seeds, and
// repeatedItems bounds the items of all of them.
const (
	repeats       = 15
	repeatedItems = 300_000
)

// repeated simulates the model up to repeats times. It returns the median of each
// time, and otherwise the simulation with the median makespan.
func repeated(m Model) (Prediction, error) {
	n := max(1, min(repeats, repeatedItems/m.Items)-1|1) // odd
	var all []Prediction
	for seed := range n {
		p, err := Simulate(m, uint64(seed+1))
		if err != nil {
			return p, err
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Prediction) int { return int(min(max(a.Makespan-b.Makespan, -1), 1)) })
	p := all[n/2]
	p.Min, p.Max = all[0].Makespan, all[n-1].Makespan
	of := func(get func(Prediction) time.Duration) time.Duration {
		values := make([]float64, n)
		for i, one := range all {
			values[i] = float64(get(one))
		}
		return time.Duration(median(values))
	}
	p.P50 = of(func(p Prediction) time.Duration { return p.P50 })
	p.P95 = of(func(p Prediction) time.Duration { return p.P95 })
	p.P99 = of(func(p Prediction) time.Duration { return p.P99 })
	return p, nil
}
