package stats

import (
	"fmt"
	"math"
)

// exactTrend is up to how many values the null distribution of [Trend] is counted.
const exactTrend = 100

// Trend tells whether values rise or fall in the order in which they were
// measured: Kendall's tau with the order, from -1 to 1, and the two-sided
// p-value of the Mann-Kendall test that any order is as likely (H. B. Mann,
// Nonparametric Tests Against Trend, Econometrica 13, 1945; M. G. Kendall, Rank
// Correlation Methods, 1975). p is exact for up to 100 values without ties; else
// the normal approximation with the variance for ties and a correction for
// continuity serves. Fewer than two values show none: 0 and 1.
func Trend(x []float64) (tau, p float64, err error) {
	if err := check(x, 0.5); err != nil {
		return 0, 0, fmt.Errorf("trend: %w", err)
	}
	n := len(x)
	if n < 2 {
		return 0, 1, nil
	}
	s, ties := 0, map[float64]int{}
	for j, v := range x {
		ties[v]++
		for _, earlier := range x[:j] {
			switch {
			case earlier < v:
				s++
			case earlier > v:
				s--
			}
		}
	}
	all := n * (n - 1) / 2
	tau = float64(s) / float64(all)
	if n <= exactTrend && len(ties) == n {
		return tau, inversionsAtMost(n, (all-max(s, -s))/2), nil
	}
	variance := spreadOfScore(n)
	for _, t := range ties {
		variance -= spreadOfScore(t)
	}
	if variance <= 0 { // all alike
		return tau, 1, nil
	}
	z := math.Max(0, math.Abs(float64(s))-1) / math.Sqrt(variance)
	return tau, math.Min(1, 2*normalBelow(-z)), nil
}

// spreadOfScore is the variance of the score of n values in random order.
func spreadOfScore(n int) float64 { return float64(n) * float64(n-1) * float64(2*n+5) / 18 }

// inversionsAtMost is twice the probability, at most 1, that a random order of n
// values has up to k inversions: the i-th value stands behind 0 … i-1 of those
// before it that are greater, each as likely.
func inversionsAtMost(n, k int) float64 {
	p := make([]float64, n*(n-1)/2+1)
	p[0] = 1
	for i := 2; i <= n; i++ {
		next := make([]float64, len(p))
		for inversions := range i*(i-1)/2 + 1 {
			window := 0.0
			for j := max(0, inversions-i+1); j <= inversions; j++ {
				window += p[j]
			}
			next[inversions] = window / float64(i)
		}
		p = next
	}
	sum := 0.0
	for _, v := range p[:k+1] {
		sum += v
	}
	return math.Min(1, 2*sum)
}

// Autocorrelation of values in the order in which they were measured with those
// lag later, from -1 to 1: the sum of products of deviations from the common mean
// over the sum of their squares (G. E. P. Box, G. M. Jenkins, Time Series
// Analysis, 1970). Independent values lie within 2/√n of 0 nineteen times in
// twenty. NaN where all are alike, or no two are lag apart.
func Autocorrelation(x []float64, lag int) float64 {
	n := len(x)
	if lag < 0 || lag >= n {
		return math.NaN()
	}
	mean := 0.0
	for _, v := range x {
		mean += v / float64(n)
	}
	products, squares := 0.0, 0.0
	for i, v := range x {
		squares += (v - mean) * (v - mean)
		if i+lag < n {
			products += (v - mean) * (x[i+lag] - mean)
		}
	}
	if squares == 0 {
		return math.NaN()
	}
	return products / squares
}
