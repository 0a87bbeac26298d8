package stats

import (
	"fmt"
	"math"
	"slices"
)

// RankSum estimates by how much the values of b lie above those of a, two
// independent samples: the Hodges-Lehmann shift, with the interval that belongs
// to the Wilcoxon-Mann-Whitney test (P. K. Moses; HWC, ch. 4.2 and 4.3). It is
// exact up to exactRankSum pairs of values and for samples without ties, and
// conservative with them; beyond, the normal approximation with a correction
// for continuity serves.
func RankSum(a, b []float64, level float64) (Interval, error) {
	for _, x := range [][]float64{a, b} {
		if err := check(x, level); err != nil {
			return Interval{}, fmt.Errorf("rank-sum interval: %w", err)
		}
		if len(x) == 0 {
			return Interval{}, fmt.Errorf("rank-sum interval: %w", ErrNoData)
		}
	}
	m, n := len(a), len(b)
	cut, tail := rankSumCritical(m, n, level)
	if cut == 0 {
		need := min(m, n)
		for ok := false; !ok; need++ {
			k, _ := rankSumCritical(need+1, need+1, level)
			ok = k > 0
		}
		return Interval{}, &TooFewError{N: min(m, n), Need: need, Level: level}
	}
	differences := make([]float64, 0, m*n)
	for _, x := range a {
		for _, y := range b {
			differences = append(differences, y-x)
		}
	}
	slices.Sort(differences)
	return Interval{
		Estimate: middle(differences), Low: differences[cut-1], High: differences[m*n-cut],
		Level: level, Achieved: 1 - 2*tail, N: m + n,
	}, nil
}

// exactRankSum is the most pairs for which the null distribution is counted.
const exactRankSum = 10_000

// rankSumCritical is the number k of the ordered differences that is the low
// end of the interval, counted from 1 (0: there is none), and the probability
// that the shift lies beyond one end.
func rankSumCritical(m, n int, level float64) (k int, tail float64) {
	alpha := (1 - level) / 2
	if m*n > exactRankSum {
		mean, deviation := float64(m*n)/2, math.Sqrt(float64(m)*float64(n)*float64(m+n+1)/12)
		k = int(math.Floor(mean - 0.5 + deviation*-math.Sqrt2*math.Erfinv(1-2*alpha)))
		return max(k, 0), alpha
	}
	sum := 0.0
	for u, p := range rankSumNull(m, n) {
		if sum+p > alpha {
			return u, sum
		}
		sum += p
	}
	return 0, 0
}

// rankSumNull are the probabilities of U = 0, 1, …, m·n without an effect: the
// coefficients of the Gaussian binomial (m+n over m), over their sum.
func rankSumNull(m, n int) []float64 {
	p := make([]float64, m*n+1)
	p[0] = 1
	for i := 1; i <= m; i++ {
		for u := len(p) - 1; u >= n+i; u-- {
			p[u] -= p[u-n-i]
		}
		for u := i; u < len(p); u++ {
			p[u] += p[u-i]
		}
		// Probabilities, not counts, or they would outgrow what a float holds.
		for u := range p {
			p[u] *= float64(i) / float64(n+i)
		}
	}
	return p
}
