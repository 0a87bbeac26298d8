// Package leak tells descriptors that are lost for good from descriptors that
// work needs while it runs, by a regression over the course of a trial:
//
//	descriptors ≈ base + perInFlight · work in flight + perCompleted · work completed
//
// What grows with the work in flight is load: it comes back. What grows with
// the work completed does not: it is a leak, and says after how much work the
// limit is hit whatever the load.
//
// Samples that follow each other are not independent, so intervals come from
// resampling blocks of samples (H. R. Künsch, The jackknife and the bootstrap
// for general stationary observations, Annals of Statistics 17, 1989), and a
// coefficient that the samples cannot tell from another one is not given.
package leak

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"floodgate/results/stats"
)

// Sample is one look at the system.
type Sample struct {
	At          time.Duration
	Descriptors float64
	// InFlight and Completed count pieces of work: reports, or items.
	InFlight, Completed float64
}

// Fit is the regression of a trial.
type Fit struct {
	// Base are the descriptors without work.
	Base float64
	// PerInFlight and PerCompleted are descriptors a piece of work. Nil: the
	// samples do not tell, since it hardly varied, or not on its own.
	PerInFlight, PerCompleted *stats.Interval
	// N is the number of samples that were used.
	N int

	used []Sample
}

// warmUp is the share of samples that are left out in the beginning: pools of
// connections fill then, which looks like a leak.
const warmUp = 0.25

// minSamples is the least number of samples to fit.
const minSamples = 20

// resamples of the bootstrap: the 2.5 % quantile is the 25th of 999.
const resamples = 999

// ErrTooFew says that there were too few samples, or too little happened in them.
var ErrTooFew = errors.New("too few samples to distinguish a leak from load")

// Regress fits the samples, which are in the order of time, with intervals of
// the level (0.95). One seed gives one result.
func Regress(samples []Sample, level float64, seed uint64) (*Fit, error) {
	used := samples[int(warmUp*float64(len(samples))):]
	if len(used) < minSamples {
		return nil, ErrTooFew
	}
	base, a, b, ok := solve(used)
	if !ok {
		return nil, ErrTooFew
	}
	f := &Fit{Base: base, N: len(used), used: used}
	f.intervals(a, b, level, seed)
	return f, nil
}

// intervals resamples blocks of samples. A coefficient that even one in twenty
// of the resamples cannot tell is left out.
func (f *Fit) intervals(a, b *float64, level float64, seed uint64) {
	n := len(f.used)
	block := max(2, int(math.Ceil(2*math.Cbrt(float64(n)))))
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	var as, bs []float64
	sample := make([]Sample, 0, n+block)
	for range resamples {
		sample = sample[:0]
		for len(sample) < n {
			start := rng.IntN(n - block + 1)
			sample = append(sample, f.used[start:start+block]...)
		}
		_, x, y, ok := solve(sample[:n])
		if !ok {
			continue
		}
		if x != nil {
			as = append(as, *x)
		}
		if y != nil {
			bs = append(bs, *y)
		}
	}
	f.PerInFlight = percentile(a, as, level, n)
	f.PerCompleted = percentile(b, bs, level, n)
}

func percentile(estimate *float64, values []float64, level float64, n int) *stats.Interval {
	if estimate == nil || len(values) < resamples*95/100 {
		return nil
	}
	slices.Sort(values)
	cut := int((1 - level) / 2 * float64(len(values)))
	return &stats.Interval{
		Estimate: *estimate, Low: values[cut], High: values[len(values)-1-cut], Level: level, Achieved: level, N: n,
	}
}

// solve is ordinary least squares; a coefficient is nil where its variable
// hardly varies, or where both vary together so much that they cannot be told
// apart (a variance inflation above maxInflation).
func solve(s []Sample) (base float64, a, b *float64, ok bool) {
	var my, mx, mz float64
	for _, v := range s {
		my, mx, mz = my+v.Descriptors, mx+v.InFlight, mz+v.Completed
	}
	n := float64(len(s))
	my, mx, mz = my/n, mx/n, mz/n
	var xx, zz, xz, xy, zy float64
	for _, v := range s {
		x, z, y := v.InFlight-mx, v.Completed-mz, v.Descriptors-my
		xx, zz, xz, xy, zy = xx+x*x, zz+z*z, xz+x*z, xy+x*y, zy+z*y
	}
	varies := func(sum float64) bool { return sum/n >= minVariance }
	switch {
	case varies(xx) && varies(zz):
		if xz*xz > (1-1/maxInflation)*xx*zz {
			return 0, nil, nil, false
		}
		det := xx*zz - xz*xz
		p, q := (xy*zz-zy*xz)/det, (zy*xx-xy*xz)/det
		return my - p*mx - q*mz, &p, &q, true
	case varies(zz):
		q := zy / zz
		return my - q*mz, nil, &q, true
	case varies(xx):
		p := xy / xx
		return my - p*mx, &p, nil, true
	}
	return 0, nil, nil, false
}

const (
	// minVariance of a count that says anything: one more or less half of the time.
	minVariance = 0.25
	// maxInflation of the variance of a coefficient by the other one (the usual
	// rule of thumb is 10; samples are many here).
	maxInflation = 200.0
)
