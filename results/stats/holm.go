package stats

import (
	"fmt"
	"math"
	"slices"
)

// Holm returns the p-values of a family of tests, adjusted so that taking all at or
// below alpha for effects goes wrong anywhere in the family with at most that
// probability, however the tests depend on each other: the k-th smallest of m
// times m-k+1, none below its forerunner or above 1 (S. Holm, A Simple
// Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of
// Statistics 6, 1979). They are in the order of p, of which none may lie
// outside 0 to 1.
func Holm(p []float64) ([]float64, error) {
	order := make([]int, len(p))
	for i, v := range p {
		if !(v >= 0 && v <= 1) {
			return nil, fmt.Errorf("adjust p-values: p[%d] must be between 0 and 1 (got %v)", i, v)
		}
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	adjusted := make([]float64, len(p))
	last := 0.0
	for k, i := range order {
		last = math.Max(last, math.Min(1, float64(len(p)-k)*p[i]))
		adjusted[i] = last
	}
	return adjusted, nil
}

// MinimalRankSumP returns the least two-sided p-value that the exact rank-sum test
// can give samples of m and n values: that of samples wholly apart, 2 over
// (m+n over m).
func MinimalRankSumP(m, n int) float64 {
	p := 2.0
	for i := 1; i <= min(m, n); i++ {
		p *= float64(i) / float64(max(m, n)+i)
	}
	return math.Min(1, p)
}
