package capacity

import "math"

// residual of an observation and its derivatives by ln γ, ln α and ln β.
type residual func(u USL, o Observation) (r float64, by [3]float64)

// logResiduals are ln X − ln X(N).
func logResiduals(u USL, o Observation) (float64, [3]float64) {
	d := u.denominator(o.N)
	return math.Log(o.X / u.At(o.N)), [3]float64{-1, u.Alpha * (o.N - 1) / d, u.Beta * o.N * (o.N - 1) / d}
}

// weighted is an observation that counts so often.
type weighted struct {
	Observation
	times float64
}

// each counts once.
func each(all []Observation) []weighted {
	w := make([]weighted, len(all))
	for i, o := range all {
		w[i] = weighted{o, 1}
	}
	return w
}

func squares(u USL, all []weighted, of residual) (sum float64) {
	for _, o := range all {
		r, _ := of(u, o.Observation)
		sum += o.times * r * r
	}
	return sum
}

// starts are on a grid: the sum of squares may have several minima. γ is
// brought to scale by the fit.
func starts() []USL {
	var all []USL
	for _, alpha := range []float64{1e-3, 1e-2, 0.1, 0.5} {
		for _, beta := range []float64{1e-7, 1e-5, 1e-3, 1e-1} {
			all = append(all, USL{0, alpha, beta})
		}
	}
	return all
}

// negligible is how much of the sum of squares a parameter must save to be kept.
const negligible = 1e-9

// fitUSL minimizes the sum of squares from each of the starts; a γ of 0 is set to
// the one that fits it. α, β or both are 0 where that is as good.
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

// fewer says whether a has more parameters at 0 than b.
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

// gammaOf is the γ of the least squares of logarithms, given α and β.
func gammaOf(u USL, all []weighted) float64 {
	u.Gamma = 1
	sum, times := 0.0, 0.0
	for _, o := range all {
		sum += o.times * math.Log(o.X/u.At(o.N))
		times += o.times
	}
	return math.Exp(sum / times)
}

// Bounds of the search: beyond them a parameter is 0, or the law none.
const (
	mostSteps              = 200
	leastLogged            = 1e-15
	mostAlpha, mostBeta    = 1e3, 1e3
	firstDamping           = 1e-3
	mostDamping, converged = 1e12, 1e-14
)

// marquardt descends by damped Gauss-Newton steps in the logarithms of the free
// parameters (D. W. Marquardt, "An Algorithm for Least-Squares Estimation of
// Nonlinear Parameters", J. SIAM 11(2), 1963).
func marquardt(u USL, all []weighted, of residual, free [3]bool) (USL, float64) {
	sum, damping := squares(u, all, of), firstDamping
	for range mostSteps {
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
		for !moved && damping < mostDamping {
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
	return u.Gamma > 0 && !math.IsInf(u.Gamma, 0) && (!free[1] || u.Alpha > leastLogged && u.Alpha < mostAlpha) && (!free[2] || u.Beta > leastLogged && u.Beta < mostBeta)
}

// damped adds to the diagonal; what is not free stays where it is.
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

// solve is a·x = g by elimination with pivots; a is positive definite.
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
