package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Holm adjusts the p-values of a family of tests and returns them in the order
// of p. Rejecting the hypotheses whose adjusted p-value is at most alpha makes
// any false rejection in the family with probability at most alpha, however the
// tests depend on each other (S. Holm, A Simple Sequentially Rejective Multiple
// Test Procedure, Scandinavian Journal of Statistics 6, 1979). It returns an
// error if a p-value is not between 0 and 1.
func Holm(p []float64) ([]float64, error) {
	// The k-th smallest of m is multiplied by m-k+1; none may fall below the one
	// before it, or exceed 1.
	order := make([]int, len(p))
	for i, v := range p {
		if !(v >= 0 && v <= 1) {
			return nil, fmt.Errorf("adjust p-values: p[%d] must be between 0 and 1 (got %v)", i, v)
		}
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	adjusted := make([]float64, len(p))
	last := 0.0
	for k, i := range order {
		last = math.Max(last, math.Min(1, float64(len(p)-k)*p[i]))
		adjusted[i] = last
	}
	return adjusted, nil
}

// MinimalRankSumP returns the smallest two-sided p-value of the exact rank-sum
// test with samples of m and n values: 2 divided by the binomial coefficient
// (m+n over m), for samples that do not overlap.
func MinimalRankSumP(m, n int) float64 {
	p := 2.0
	for i := 1; i <= min(m, n); i++ {
		p *= float64(i) / float64(max(m, n)+i)
	}
	return math.Min(1, p)
}
