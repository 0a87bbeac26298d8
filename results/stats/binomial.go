package stats

import (
	"fmt"
	"math"
)

// Binomial estimates the probability of an event that happened k times in n
// independent tries, with the interval of Clopper and Pearson (The Use of
// Confidence or Fiducial Limits Illustrated in the Case of the Binomial,
// Biometrika 26, 1934). Its coverage is at least level, mostly more. It returns
// an error unless n ≥ 1 and 0 ≤ k ≤ n.
func Binomial(k, n int, level float64) (Interval, error) {
	if err := check(nil, level); err != nil {
		return Interval{}, fmt.Errorf("interval of a rate: %w", err)
	}
	if n < 1 {
		return Interval{}, fmt.Errorf("interval of a rate: %w", ErrNoData)
	}
	if k < 0 || k > n {
		return Interval{}, fmt.Errorf("interval of a rate: %d of %d is out of range (want 0 to %d)", k, n, n)
	}
	alpha := (1 - level) / 2
	i := Interval{Estimate: float64(k) / float64(n), Low: 0, High: 1, Level: level, Achieved: level, N: n}
	if k > 0 {
		i.Low = solve(func(p float64) bool { return binomialSum(n, k, n, p) > alpha })
	}
	if k < n {
		i.High = solve(func(p float64) bool { return binomialSum(n, 0, k, p) <= alpha })
	}
	return i, nil
}

// binomialSum returns P(from ≤ B ≤ to) of n trials with probability p.
func binomialSum(n, from, to int, p float64) float64 {
	sum := 0.0
	for k := from; k <= to; k++ {
		sum += binomial(n, k, p)
	}
	return sum
}

// solve returns the value between 0 and 1 from which on beyond is true, by bisection.
func solve(beyond func(float64) bool) float64 {
	low, high := 0.0, 1.0
	for {
		middle := low + (high-low)/2
		switch {
		case middle <= low || middle >= high || high-low < 1e-15*high:
			return middle
		case beyond(middle):
			high = middle
		default:
			low = middle
		}
	}
}

// binomial returns P(B = k) of n trials with probability q.
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
