// Package leak distinguishes leaked descriptors from descriptors that work
// needs while it runs, by a regression over the time series of a trial:
//
//	descriptors ≈ base + perInFlight · work in flight + perCompleted · work completed
//
// Growth with the work in flight is load: those descriptors are released later.
// Growth with the work completed is a leak, and predicts after how much work
// the limit is exhausted at any load. The example of [Regress] shows both.
//
// A pool that keeps its connections follows the most work that was ever in flight, which
// grows as long as the load or the response time does, and more slowly under a steady
// random load. Where that peak explains the descriptors better than the work in flight
// does, it takes its place. Growth with the work completed is a leak only if it also
// shows among samples of one and the same peak, each compared with their own mean, where
// no pool has a reason to grow: the within estimator of panel data (Y. Mundlak, On the
// pooling of time series and cross section data, Econometrica 46, 1978). It must also show
// with the work in flight averaged over neighboring samples: a sample of it is taken at
// another moment than that of the descriptors, and what is measured imprecisely explains
// less than it causes, which the work completed then seems to cause (W. A. Fuller,
// Measurement Error Models, 1987). And it must go on throughout, because a cache that
// fills is not a leak. Where the samples do not tell these cases apart, such as a leak
// under a peak that rises until the end, or one that begins late, the cause is undecided.
//
// Successive samples are not independent, so intervals come from resampling
// blocks of samples (H. R. Künsch, The jackknife and the bootstrap for general
// stationary observations, Annals of Statistics 17, 1989). A coefficient that
// the samples do not determine is nil.
package leak

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"floodgate/results/stats"
)

// Sample is one observation of the system.
type Sample struct {
	// At is the time since the start of the trial.
	At          time.Duration
	Descriptors float64
	// InFlight and Completed count pieces of work: reports, or items.
	InFlight, Completed float64
	// Peak is the most work that was in flight at once so far; what samples of InFlight
	// showed if it is less than that.
	Peak float64
}

// Fit is the regression of a trial.
type Fit struct {
	// Base is the number of descriptors without work.
	Base float64
	// PerInFlight and PerCompleted are in descriptors per piece of work; nil
	// means that the count hardly varied, or not independently of the other.
	PerInFlight, PerCompleted *stats.Interval
	// N is the number of samples in the regression.
	N int

	used []Sample // whose InFlight is the peak where that explains the descriptors better
	// onPlateaus is PerCompleted among samples of the same peak, and averaged is that with
	// the work in flight averaged over neighboring samples; nil means unknown.
	onPlateaus, averaged *stats.Interval
}

// warmUp is the share of samples that are dropped at the beginning, where
// filling connection pools look like a leak.
const warmUp = 0.25

const minSamples = 20

// resamples is the number of bootstrap samples: the 2.5 % quantile is the 25th of 999.
const resamples = 999

// ErrTooFew reports that there are too few samples, or that the work in them
// hardly varies.
var ErrTooFew = errors.New("too few samples to distinguish a leak from load")

// Regress fits the samples, which must be ordered by time, with intervals at
// the confidence level, such as 0.95. The same samples and seed give the same
// result. The error is [ErrTooFew] if the samples cannot be fitted.
func Regress(samples []Sample, level float64, seed uint64) (*Fit, error) {
	used := withPeaks(samples)[int(warmUp*float64(len(samples))):]
	if len(used) < minSamples {
		return nil, ErrTooFew
	}
	pooled := slices.Clone(used)
	for i := range pooled {
		pooled[i].InFlight = pooled[i].Peak
	}
	f, rest := fit(used)
	if other, left := fit(pooled); left < rest {
		f = other
	}
	if f == nil {
		return nil, ErrTooFew
	}
	f.intervals(level, seed)
	if f.grows() {
		if plateaus := onPlateaus(used); len(plateaus) >= minSamples/2 {
			f.onPlateaus = perCompleted(plateaus, level, seed)
		}
		f.averaged = perCompleted(averaged(used), level, seed)
	}
	return f, nil
}

// withPeaks returns a copy of the samples in which Peak is never less than InFlight was
// so far.
func withPeaks(samples []Sample) []Sample {
	all := slices.Clone(samples)
	peak := 0.0
	for i := range all {
		peak = max(peak, all[i].Peak, all[i].InFlight)
		all[i].Peak = peak
	}
	return all
}

// fit returns the fit of s without intervals, and the sum of the squares that it leaves;
// nil and infinity if s does not determine it.
func fit(s []Sample) (f *Fit, rest float64) {
	base, a, b, ok := solve(s)
	if !ok {
		return nil, math.Inf(1)
	}
	f = &Fit{Base: base, N: len(s), used: s}
	if a != nil {
		f.PerInFlight = &stats.Interval{Estimate: *a}
	}
	if b != nil {
		f.PerCompleted = &stats.Interval{Estimate: *b}
	}
	for _, v := range s {
		r := v.Descriptors - base - f.held()*v.InFlight
		if b != nil {
			r -= *b * v.Completed
		}
		rest += r * r
	}
	return f, rest
}

// held returns the descriptors per piece of work in flight; zero where it is unknown.
func (f *Fit) held() float64 {
	if f.PerInFlight == nil {
		return 0
	}
	return f.PerInFlight.Estimate
}

// perCompleted returns the descriptors per completed piece of work; nil means that the
// samples do not determine it.
func perCompleted(s []Sample, level float64, seed uint64) *stats.Interval {
	f, _ := fit(s)
	if f == nil {
		return nil
	}
	f.intervals(level, seed)
	return f.PerCompleted
}

// neighbors is the number of samples before and after one with which its work in flight is
// averaged.
const neighbors = 3

// averaged returns the samples with their work in flight averaged over the neighboring ones.
func averaged(s []Sample) []Sample {
	all := slices.Clone(s)
	for i := range s {
		near := s[max(0, i-neighbors):min(len(s), i+neighbors+1)]
		sum := 0.0
		for _, v := range near {
			sum += v.InFlight
		}
		all[i].InFlight = sum / float64(len(near))
	}
	return all
}

// onPlateaus returns the samples whose peak was reached before, with each of their counts
// less its mean over the samples of that peak. The first sample of a peak does not count,
// as a pool may have grown just before or after it was taken.
func onPlateaus(s []Sample) []Sample {
	var all []Sample
	for first := 0; first < len(s); {
		end := first + 1
		for end < len(s) && s[end].Peak == s[first].Peak {
			end++
		}
		part := s[first+1 : end]
		n := float64(len(part))
		var mean Sample
		for _, v := range part {
			mean.Descriptors, mean.InFlight, mean.Completed = mean.Descriptors+v.Descriptors/n, mean.InFlight+v.InFlight/n, mean.Completed+v.Completed/n
		}
		if len(part) > 1 {
			for _, v := range part {
				v.Descriptors, v.InFlight, v.Completed = v.Descriptors-mean.Descriptors, v.InFlight-mean.InFlight, v.Completed-mean.Completed
				all = append(all, v)
			}
		}
		first = end
	}
	return all
}

// intervals computes the intervals of the estimates by resampling blocks of samples. A
// coefficient that more than 5 % of the resamples do not determine becomes nil.
func (f *Fit) intervals(level float64, seed uint64) {
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
	f.PerInFlight = percentile(f.PerInFlight, as, level, n)
	f.PerCompleted = percentile(f.PerCompleted, bs, level, n)
}

func percentile(estimate *stats.Interval, values []float64, level float64, n int) *stats.Interval {
	if estimate == nil || len(values) < resamples*95/100 {
		return nil
	}
	slices.Sort(values)
	cut := int((1 - level) / 2 * float64(len(values)))
	return &stats.Interval{
		Estimate: estimate.Estimate, Low: values[cut], High: values[len(values)-1-cut], Level: level, Achieved: level, N: n,
	}
}

// solve fits s by ordinary least squares. A coefficient is nil if its variable
// hardly varies. It returns false if neither varies, or if the two vary together
// so much (a variance inflation above maxInflation) that neither is determined.
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
	// minVariance is the variance of a count that differs by one half of the time.
	minVariance = 0.25
	// maxInflation bounds the variance inflation factor. The usual rule of thumb
	// is 10; there are many samples here.
	maxInflation = 200.0
)
