package stats

import (
	"fmt"
	"math"
	"slices"
)

// MedianInterval returns the median of independent observations with the interval of the
// sign test, whose ends are two of the observations (W. J. Dixon and F. J. Massey,
// Introduction to Statistical Analysis, ch. 17). It assumes nothing about their
// distribution, and always contains the median. Too few observations for the level are a
// [TooFewError]: 95 % take six.
func MedianInterval(x []float64, level float64) (Interval, error) {
	if err := check(x, level); err != nil {
		return Interval{}, fmt.Errorf("interval of a median: %w", err)
	}
	n, below := len(x), -1 // the number of observations outside, on each side
	outside := 0.0         // 2 P(B ≤ below), for B of n fair coins
	for tail := 0.0; below+1 < (n+1)/2; below++ {
		if tail += 2 * binomial(n, below+1, 0.5); tail > 1-level+1e-12 {
			break
		}
		outside = tail
	}
	if below < 0 {
		return Interval{}, fmt.Errorf("interval of a median: %w", &TooFewError{N: n, Need: 1 + int(math.Ceil(-math.Log2(1-level)-1e-9)), Level: level})
	}
	s := slices.Sorted(slices.Values(x))
	return Interval{Estimate: Median(x), Low: s[below], High: s[n-1-below], Level: level, Achieved: 1 - outside, N: n}, nil
}
