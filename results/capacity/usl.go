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

// At returns the throughput at n.
func (u USL) At(n float64) float64 { return u.Gamma * n / u.denominator(n) }

func (u USL) denominator(n float64) float64 { return 1 + u.Alpha*(n-1) + u.Beta*n*(n-1) }

// Peak returns the n of the highest throughput, √((1−α)/β), at least 1, or +Inf if
// the model has no peak.
func (u USL) Peak() float64 {
	switch {
	case u.Alpha >= 1:
		return 1
	case u.Beta == 0:
		return math.Inf(1)
	}
	return max(1, math.Sqrt((1-u.Alpha)/u.Beta))
}

// Observation is one measurement: throughput X > 0 with N ≥ 1 items at once.
type Observation struct{ N, X float64 }

// Fit is a USL fitted to observations.
type Fit struct {
	// Gamma is in items per second. The intervals are from a seeded bootstrap of the
	// repetitions at each limit: they are valid if the law is, and with six
	// repetitions slightly too narrow.
	Gamma stats.Interval `json:"gamma"`
	Alpha stats.Interval `json:"alpha"`
	Beta  stats.Interval `json:"beta"`
	// Peak is the peak of the model, with its interval; nil means that the sweep did
	// not pass it, as the model is not valid beyond the tested limits.
	Peak *stats.Interval `json:"peak,omitempty"`
	// Residuals are in the order of the observations.
	Residuals []Residual `json:"residuals"`
	// Worst is the largest deviation of the geometric mean at a limit from the
	// model, as a share of the model, and WorstAt that limit.
	Worst   float64 `json:"worst"`
	WorstAt int     `json:"worst_at"`
}

// Residual is the residual of an observation: ln(measured/model).
type Residual struct {
	Limit int     `json:"limit"`
	Log   float64 `json:"log"`
}

// Model returns the fitted law.
func (f Fit) Model() USL { return USL{f.Gamma.Estimate, f.Alpha.Estimate, f.Beta.Estimate} }

// Requirements of a fit, and parameters of its bootstrap.
const (
	minLimits    = 4 // different ones, for three parameters
	uslResamples = 999
	uslLevel     = 0.95
)

// FitUSL fits the law by least squares of the logarithms, with logarithmic
// parameters, so that all limits have the same weight and no parameter is negative.
// An α or β that does not improve the fit is 0. The seed drives the bootstrap of the
// intervals. It is an error if there are fewer than four limits, or an observation
// is out of range.
func FitUSL(all []Observation, seed uint64) (Fit, error) {
	limits := map[float64][]float64{}
	for _, o := range all {
		if !(o.N >= 1) || !(o.X > 0) || math.IsInf(o.N+o.X, 0) {
			return Fit{}, fmt.Errorf("fit scalability: want throughputs above 0 at 1 or more at once (got %v at %v)", o.X, o.N)
		}
		limits[o.N] = append(limits[o.N], o.X)
	}
	if len(limits) < minLimits {
		return Fit{}, fmt.Errorf("fit scalability: %d limits were measured, but at least %[2]d are needed", len(limits), minLimits)
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

// means returns the geometric means of the limits in ascending order, weighted by
// the number of repetitions: their least squares of logarithms equal those of the
// observations.
func means(limits map[float64][]float64) []weighted {
	var all []weighted
	for _, n := range slices.Sorted(maps.Keys(limits)) {
		x := limits[n]
		all = append(all, weighted{Observation{n, stats.GeometricMean(x)}, float64(len(x))})
	}
	return all
}

// bootstrap sets the percentile intervals of fits to resampled repetitions of each
// limit (B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).
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

// residual returns the residual of an observation and its derivatives with respect
// to ln γ, ln α and ln β.
type residual func(u USL, o Observation) (r float64, by [3]float64)

// logResiduals returns ln X − ln X(N).
func logResiduals(u USL, o Observation) (float64, [3]float64) {
	d := u.denominator(o.N)
	return math.Log(o.X / u.At(o.N)), [3]float64{-1, u.Alpha * (o.N - 1) / d, u.Beta * o.N * (o.N - 1) / d}
}

// weighted is an observation with its number of repetitions.
type weighted struct {
	Observation
	times float64
}

func squares(u USL, all []weighted, of residual) (sum float64) {
	for _, o := range all {
		r, _ := of(u, o.Observation)
		sum += o.times * r * r
	}
	return sum
}

// starts returns a grid of starting points, as the sum of squares may have several
// minima. The fit determines γ.
func starts() []USL {
	var all []USL
	for _, alpha := range []float64{1e-3, 1e-2, 0.1, 0.5} {
		for _, beta := range []float64{1e-7, 1e-5, 1e-3, 1e-1} {
			all = append(all, USL{0, alpha, beta})
		}
	}
	return all
}

// negligible is the share of the sum of squares that a parameter must save to be
// kept.
const negligible = 1e-9

// fitUSL minimizes the sum of squares from each of the starting points, replacing a
// γ of 0 by the one that fits. It sets α, β or both to 0 if that is as good.
func fitUSL(all []weighted, of residual, from []USL) USL {
	best, least := USL{}, math.Inf(1)
	for _, u := range from {
		if u.Gamma == 0 {
			u.Gamma = gammaOf(u, all)
		}
		for _, free := range [][3]bool{{true, true, true}, {true, false, true}, {true, true, false}, {true, false, false}} {
			v := u
			if !free[1] {
				v.Alpha = 0
			}
			if !free[2] {
				v.Beta = 0
			}
			v.Gamma = gammaOf(v, all)
			v, sum := marquardt(v, all, of, free)
			if sum < least || fewer(v, best) && sum <= least*(1+negligible) {
				best, least = v, min(sum, least)
			}
		}
	}
	return best
}

// fewer reports whether a has more parameters at 0 than b.
func fewer(a, b USL) bool {
	zeros := func(u USL) (n int) {
		for _, x := range []float64{u.Alpha, u.Beta} {
			if x == 0 {
				n++
			}
		}
		return n
	}
	return zeros(a) > zeros(b)
}

// gammaOf returns the γ of the least squares of logarithms, given α and β.
func gammaOf(u USL, all []weighted) float64 {
	u.Gamma = 1
	sum, times := 0.0, 0.0
	for _, o := range all {
		sum += o.times * math.Log(o.X/u.At(o.N))
		times += o.times
	}
	return math.Exp(sum / times)
}

// Bounds of the search, beyond which a parameter is 0 or there is no fit.
const (
	maxSteps              = 200
	minLogged             = 1e-15
	maxAlpha, maxBeta     = 1e3, 1e3
	firstDamping          = 1e-3
	maxDamping, converged = 1e12, 1e-14
)

// marquardt descends by damped Gauss-Newton steps in the logarithms of the free
// parameters (D. W. Marquardt, "An Algorithm for Least-Squares Estimation of
// Nonlinear Parameters", J. SIAM 11(2), 1963).
func marquardt(u USL, all []weighted, of residual, free [3]bool) (USL, float64) {
	sum, damping := squares(u, all, of), firstDamping
	for range maxSteps {
		var a [3][3]float64
		var g [3]float64
		for _, o := range all {
			r, by := of(u, o.Observation)
			for i := range 3 {
				g[i] -= o.times * by[i] * r
				for j := range 3 {
					a[i][j] += o.times * by[i] * by[j]
				}
			}
		}
		moved := false
		for !moved && damping < maxDamping {
			step := solve(damped(a, damping, free), g, free)
			v := USL{u.Gamma * math.Exp(step[0]), u.Alpha * math.Exp(step[1]), u.Beta * math.Exp(step[2])}
			next := squares(v, all, of)
			if legal(v, free) && next < sum {
				saved := sum - next
				u, sum, moved, damping = v, next, true, damping/10
				if saved <= converged*sum {
					return u, sum
				}
				continue
			}
			damping *= 10
		}
		if !moved {
			break
		}
	}
	return u, sum
}

func legal(u USL, free [3]bool) bool {
	return u.Gamma > 0 && !math.IsInf(u.Gamma, 0) && (!free[1] || u.Alpha > minLogged && u.Alpha < maxAlpha) && (!free[2] || u.Beta > minLogged && u.Beta < maxBeta)
}

// damped adds to the diagonal, and fixes the parameters that are not free.
func damped(a [3][3]float64, by float64, free [3]bool) [3][3]float64 {
	for i := range 3 {
		a[i][i] = a[i][i]*(1+by) + 1e-300
		if free[i] {
			continue
		}
		for j := range 3 {
			a[i][j], a[j][i] = 0, 0
		}
		a[i][i] = 1
	}
	return a
}

// solve solves a·x = g by elimination with pivots; a is positive definite.
func solve(a [3][3]float64, g [3]float64, free [3]bool) (x [3]float64) {
	for i := range 3 {
		if !free[i] {
			g[i] = 0
		}
	}
	for c := range 3 {
		p := c
		for r := c + 1; r < 3; r++ {
			if math.Abs(a[r][c]) > math.Abs(a[p][c]) {
				p = r
			}
		}
		a[c], a[p], g[c], g[p] = a[p], a[c], g[p], g[c]
		for r := c + 1; r < 3; r++ {
			f := a[r][c] / a[c][c]
			for k := c; k < 3; k++ {
				a[r][k] -= f * a[c][k]
			}
			g[r] -= f * g[c]
		}
	}
	for r := 2; r >= 0; r-- {
		x[r] = g[r]
		for k := r + 1; k < 3; k++ {
			x[r] -= a[r][k] * x[k]
		}
		x[r] = max(-2, min(2, x[r]/a[r][r])) // by a factor of e² at once at most
	}
	return x
}
