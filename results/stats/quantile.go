package stats

import (
	"fmt"
	"math"
	"slices"
)

// Quantile bounds the q-quantile of the distribution of x by two of its order
// statistics, exactly and whatever the distribution (HWC ch. 3.6 for the
// median; H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed., 2003, ch.
// 7.1). The estimate is the order statistic nearest to it, for the median the
// [Median]. Too few values for the level are a [TooFewError].
func Quantile(x []float64, q, level float64) (Interval, error) {
	if err := check(x, level); err != nil {
		return Interval{}, fmt.Errorf("quantile interval: %w", err)
	}
	if !(q > 0 && q < 1) {
		return Interval{}, fmt.Errorf("quantile interval: quantile %v: between 0 and 1", q)
	}
	n := len(x)
	low, high, achieved := orderStatistics(n, q, level)
	if low < 1 || high > n {
		alpha := (1 - level) / 2 * (1 + 1e-12)
		need := max(math.Log(alpha)/math.Log1p(-q), math.Log(alpha)/math.Log(q))
		return Interval{}, fmt.Errorf("quantile interval: %w", &TooFewError{N: n, Need: int(math.Ceil(need)), Level: level})
	}
	s := slices.Sorted(slices.Values(x))
	estimate := s[min(max(int(math.Ceil(q*float64(n))), 1), n)-1]
	if q == 0.5 {
		estimate = middle(s)
	}
	return Interval{
		Estimate: estimate, Low: s[low-1], High: s[high-1],
		Level: level, Achieved: achieved, N: n,
	}, nil
}

// orderStatistics finds the narrowest ranks low and high (from 1) with
// P(B < low) and P(B ≥ high) each at most (1-level)/2, B being how many of n
// values lie below the quantile, a binomial number. low 0 or high n+1: none.
func orderStatistics(n int, q, level float64) (low, high int, achieved float64) {
	alpha := (1 - level) / 2 * (1 + 1e-12)
	lowTail, highTail := 0.0, 0.0
	for p := binomial(n, low, q); low <= n && lowTail+p <= alpha; p = binomial(n, low, q) {
		lowTail += p
		low++
	}
	high = n + 1
	for p := binomial(n, high-1, q); high > 0 && highTail+p <= alpha; p = binomial(n, high-1, q) {
		highTail += p
		high--
	}
	return low, high, 1 - lowTail - highTail
}

// binomial is P(B = k) of n trials with probability q.
func binomial(n, k int, q float64) float64 {
	if k < 0 || k > n {
		return 0
	}
	return math.Exp(lgamma(n+1) - lgamma(k+1) - lgamma(n-k+1) +
		float64(k)*math.Log(q) + float64(n-k)*math.Log1p(-q))
}

func lgamma(n int) float64 {
	v, _ := math.Lgamma(float64(n))
	return v
}
