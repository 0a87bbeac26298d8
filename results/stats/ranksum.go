package stats

import (
	"fmt"
	"math"
	"slices"
)

// RankSum estimates by how much the values of b exceed those of a, two
// independent samples: the Hodges-Lehmann shift, with the interval of the
// Wilcoxon-Mann-Whitney test (P. K. Moses; HWC, ch. 4.2 and 4.3). It is exact if
// the smaller sample has at most 100 values, and else the normal approximation
// with a continuity correction. Ties make it conservative. Samples too small for
// the level, such as fewer than four values each at 95 %, are a [TooFewError]
// whose numbers are those of the smaller sample.
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
		for ; cut == 0; need++ {
			cut, _ = rankSumCritical(need+1, need+1, level)
		}
		return Interval{}, fmt.Errorf("rank-sum interval: %w", &TooFewError{N: min(m, n), Need: need, Level: level})
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

// exactRankSum is the largest size of the smaller sample for which the null
// distribution is computed exactly.
const exactRankSum = 100

// rankSumCritical returns the rank of the difference that is the low end of the
// interval, counted from 1, and the probability that the shift lies beyond one
// end. A rank of 0 means that there is no such interval.
func rankSumCritical(m, n int, level float64) (k int, tail float64) {
	alpha := (1 - level) / 2
	if min(m, n) > exactRankSum {
		return rankSumApproximate(m, n, level), alpha
	}
	sum := 0.0
	for u, p := range rankSumNull(min(m, n), max(m, n)) {
		if sum+p > alpha*(1+1e-12) {
			return u, sum
		}
		sum += p
	}
	return 0, 0 // only at level 0
}

// rankSumApproximate returns the rank of the low end by the normal approximation:
// P(U ≤ k-1) is about Φ((k-0.5-mean)/deviation).
func rankSumApproximate(m, n int, level float64) int {
	mean, deviation := float64(m)*float64(n)/2, math.Sqrt(float64(m)*float64(n)*float64(m+n+1)/12)
	return max(0, int(math.Floor(mean+0.5-deviation*math.Sqrt2*math.Erfinv(level))))
}

// rankSumNull returns the probabilities of U = 0, 1, …, m·n under the null
// hypothesis: the normalized coefficients of the Gaussian binomial (m+n over m).
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
		// Normalize at each step: counts would overflow a float.
		for u := range p {
			p[u] *= float64(i) / float64(n+i)
		}
	}
	return p
}
