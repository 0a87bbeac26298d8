package capacity

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"floodgate/results/stats"
)

// USL is the Universal Scalability Law: throughput at N items at once is
//
//	X(N) = γN / (1 + α(N−1) + βN(N−1))
//
// γ being that of one, α what N wait for, β what they cost each other
// (N. J. Gunther, Guerrilla Capacity Planning, Springer, 2007).
type USL struct{ Gamma, Alpha, Beta float64 }

// At is the throughput at n.
func (u USL) At(n float64) float64 { return u.Gamma * n / u.denominator(n) }

func (u USL) denominator(n float64) float64 { return 1 + u.Alpha*(n-1) + u.Beta*n*(n-1) }

// Peak is the n of the highest throughput, √((1−α)/β), at least 1; +Inf where
// the model has none.
func (u USL) Peak() float64 {
	switch {
	case u.Alpha >= 1:
		return 1
	case u.Beta == 0:
		return math.Inf(1)
	}
	return max(1, math.Sqrt((1-u.Alpha)/u.Beta))
}

// Observation is one measurement of throughput X, above 0, with N items at once, 1 or more.
type Observation struct{ N, X float64 }

// Fit is a USL fitted to observations.
type Fit struct {
	// Gamma in items a second. The intervals are seeded bootstrap ones, of the
	// repetitions of each limit: they hold if the law does, and with six
	// repetitions they are somewhat narrow.
	Gamma stats.Interval `json:"gamma"`
	Alpha stats.Interval `json:"alpha"`
	Beta  stats.Interval `json:"beta"`
	// Peak by the model, with its interval; nil: the sweep did not pass it, and
	// beyond what was tried the model says nothing.
	Peak *stats.Interval `json:"peak,omitempty"`
	// Residuals of the observations, in their order.
	Residuals []Residual `json:"residuals"`
	// Worst is the largest distance of the geometric mean at a limit from the
	// model, as a share of the model, and WorstAt that limit.
	Worst   float64 `json:"worst"`
	WorstAt int     `json:"worst_at"`
}

// Residual of an observation: ln(measured/model).
type Residual struct {
	Limit int     `json:"limit"`
	Log   float64 `json:"log"`
}

// Model is the fitted law.
func (f Fit) Model() USL { return USL{f.Gamma.Estimate, f.Alpha.Estimate, f.Beta.Estimate} }

// Requirements of a fit, and its bootstrap.
const (
	fewestLimits = 4 // different ones, for three parameters
	uslResamples = 999
	uslLevel     = 0.95
)

// FitUSL fits the law by least squares of the logarithms, with logarithms of the
// parameters: each limit then counts alike, and none is negative. An α or β that
// does no good is 0. The intervals are drawn from seed.
func FitUSL(all []Observation, seed uint64) (Fit, error) {
	limits := map[float64][]float64{}
	for _, o := range all {
		if !(o.N >= 1) || !(o.X > 0) || math.IsInf(o.N+o.X, 0) {
			return Fit{}, fmt.Errorf("fit scalability: throughput %v with %v at once; allowed: above 0, with 1 or more", o.X, o.N)
		}
		limits[o.N] = append(limits[o.N], o.X)
	}
	if len(limits) < fewestLimits {
		return Fit{}, fmt.Errorf("fit scalability: %d limits were measured; allowed: at least %d", len(limits), fewestLimits)
	}
	best := fitUSL(means(limits), logResiduals, starts())
	f := Fit{Residuals: make([]Residual, len(all))}
	for i, o := range all {
		f.Residuals[i] = Residual{int(o.N), math.Log(o.X / best.At(o.N))}
	}
	for n, x := range limits {
		off := stats.GeometricMean(x)/best.At(n) - 1
		if math.Abs(off) > math.Abs(f.Worst) || math.Abs(off) == math.Abs(f.Worst) && int(n) < f.WorstAt {
			f.Worst, f.WorstAt = off, int(n)
		}
	}
	f.bootstrap(all, limits, best, seed)
	return f, nil
}

// means are the geometric means of the limits, in order, each as often as it
// was measured: the least squares of logarithms are theirs.
func means(limits map[float64][]float64) []weighted {
	var all []weighted
	for _, n := range slices.Sorted(maps.Keys(limits)) {
		x := limits[n]
		all = append(all, weighted{Observation{n, stats.GeometricMean(x)}, float64(len(x))})
	}
	return all
}

// bootstrap resamples the repetitions of each limit and takes the percentiles
// of what is fitted to them (B. Efron, R. Tibshirani, An Introduction to the
// Bootstrap, 1993, ch. 13).
func (f *Fit) bootstrap(all []Observation, limits map[float64][]float64, best USL, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, uint64(len(all))))
	var gamma, alpha, beta, peak []float64
	original := means(limits)
	sample := slices.Clone(original)
	near := []USL{best, {best.Gamma, max(best.Alpha, 1e-3), max(best.Beta, 1e-5)}}
	for range uslResamples {
		for i, o := range original {
			same, sum := limits[o.N], 0.0
			for range same {
				sum += math.Log(same[rng.IntN(len(same))])
			}
			sample[i].X = math.Exp(sum / o.times)
		}
		u := fitUSL(sample, logResiduals, near)
		gamma, alpha, beta = append(gamma, u.Gamma), append(alpha, u.Alpha), append(beta, u.Beta)
		peak = append(peak, u.Peak())
	}
	n := len(all)
	f.Gamma, f.Alpha, f.Beta = percentiles(best.Gamma, gamma, n), percentiles(best.Alpha, alpha, n), percentiles(best.Beta, beta, n)
	p := percentiles(best.Peak(), peak, n)
	if !math.IsInf(p.Estimate, 0) && !math.IsInf(p.High, 0) {
		f.Peak = &p
	}
}

func percentiles(estimate float64, drawn []float64, n int) stats.Interval {
	slices.Sort(drawn)
	cut := max(1, int((1-uslLevel)/2*float64(len(drawn)+1)))
	return stats.Interval{
		Estimate: estimate, Low: min(estimate, drawn[cut-1]), High: max(estimate, drawn[len(drawn)-cut]), Level: uslLevel,
		Achieved: 1 - 2*float64(cut)/float64(len(drawn)+1), N: n,
	}
}
