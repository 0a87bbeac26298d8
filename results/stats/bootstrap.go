package stats

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// resamples is the number of samples of [Bootstrap]; the 2.5 % quantile is the 25th of 999.
const resamples = 999

// Bootstrap returns the percentile interval of the Hodges-Lehmann estimate of d
// (B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).
// With few values it is too narrow: it serves to check an exact interval, not to
// replace it. The same values and seed give the same result. Its error is
// [ErrNoData] if d is empty.
func Bootstrap(d []float64, level float64, seed uint64) (Interval, error) {
	if err := check(d, level); err != nil {
		return Interval{}, fmt.Errorf("bootstrap interval: %w", err)
	}
	n := len(d)
	if n == 0 {
		return Interval{}, fmt.Errorf("bootstrap interval: %w", ErrNoData)
	}
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	sample := make([]float64, n)
	averages := make([]float64, 0, n*(n+1)/2)
	estimates := make([]float64, resamples)
	for i := range estimates {
		for j := range sample {
			sample[j] = d[rng.IntN(n)]
		}
		averages = walsh(sample, averages[:0])
		estimates[i] = selectMedian(averages)
	}
	slices.Sort(estimates)
	cut := min(max(int((1-level)/2*(resamples+1)), 1), resamples/2)
	return Interval{
		Estimate: HodgesLehmann(d),
		Low:      estimates[cut-1],
		High:     estimates[resamples-cut],
		Level:    level,
		Achieved: 1 - 2*float64(cut)/(resamples+1),
		N:        n,
	}, nil
}

// selectMedian returns the median of x, which it reorders.
func selectMedian(x []float64) float64 {
	n := len(x)
	upper := quickselect(x, n/2)
	if n%2 == 1 {
		return upper
	}
	return average(slices.Max(x[:n/2]), upper)
}

// quickselect returns the k-th smallest value of x, counted from 0. It moves that
// value to x[k] and the smaller ones before it (C. A. R. Hoare, Algorithm 65, 1961).
func quickselect(x []float64, k int) float64 {
	low, high := 0, len(x)-1
	for low < high {
		pivot, i, j := x[k], low, high
		for i <= j {
			for x[i] < pivot {
				i++
			}
			for pivot < x[j] {
				j--
			}
			if i <= j {
				x[i], x[j] = x[j], x[i]
				i++
				j--
			}
		}
		if j < k {
			low = i
		}
		if k < i {
			high = j
		}
	}
	return x[k]
}
