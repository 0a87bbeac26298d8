package stats

import (
	"cmp"
	"slices"
)

// Trend returns Kendall's tau of x against its order, and the exact two-sided
// p-value of the hypothesis that there is no trend (H. B. Mann, Nonparametric
// Tests against Trend, Econometrica 13, 1945). Ties make it conservative.
func Trend(x []float64) (tau, p float64) {
	n := len(x)
	pairs := n * (n - 1) / 2
	if pairs == 0 {
		return 0, 1
	}
	s := 0
	for i := range x {
		for j := i + 1; j < n; j++ {
			s += cmp.Compare(x[j], x[i])
		}
	}
	// S = pairs - 2 inversions, and as likely as -S.
	tail, below := 0.0, (pairs-max(s, -s))/2
	for _, share := range inversions(n)[:below+1] {
		tail += share
	}
	return float64(s) / float64(pairs), min(1, 2*tail)
}

// inversions returns, for k = 0 … n(n-1)/2, the share of the permutations of n
// values that have k inversions. The i-th value adds 0 to i-1 with equal probability.
func inversions(n int) []float64 {
	p := make([]float64, n*(n-1)/2+1)
	p[0] = 1
	for i := 2; i <= n; i++ {
		before, sum := slices.Clone(p), 0.0
		for k := range i*(i-1)/2 + 1 {
			sum += before[k]
			if k >= i {
				sum -= before[k-i]
			}
			p[k] = max(0, sum) / float64(i)
		}
	}
	return p
}
