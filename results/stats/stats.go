// Package stats computes intervals and decisions from few, noisy, paired
// measurements. The example of [Design.Judge] decides after eight pairs that a
// change is worse.
//
// Measurements come in blocks, so the unit is the pair: the logarithm of the
// ratio of two times of one block. [SignedRank] estimates its center with an
// exact interval that is valid for any symmetric distribution and sample size;
// [Bootstrap] checks it by resampling; [RankSum] compares unpaired samples.
// [Design] judges pairs while they are measured. All are pure functions, and none
// changes its arguments.
//
// Sources: M. Hollander, D. A. Wolfe, E. Chicken, Nonparametric Statistical
// Methods, 3rd ed., 2014 (HWC); E. L. Lehmann, Nonparametrics: Statistical
// Methods Based on Ranks, 1975.
package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Interval is an estimate with a confidence interval.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	// Level is the confidence requested, such as 0.95.
	Level float64 `json:"level"`
	// Achieved is the confidence of the interval: the lowest one not below Level
	// for which an exact interval exists.
	Achieved float64 `json:"achieved"`
	// N is the number of observations or pairs.
	N int `json:"n"`
}

// Side returns -1 if the interval lies at or below limit, +1 if it lies above
// it, and 0 if limit is inside.
func (i Interval) Side(limit float64) int {
	switch {
	case i.High <= limit:
		return -1
	case i.Low > limit:
		return +1
	}
	return 0
}

// Exp converts an interval of logarithms to one of ratios.
func (i Interval) Exp() Interval {
	i.Estimate, i.Low, i.High = math.Exp(i.Estimate), math.Exp(i.Low), math.Exp(i.High)
	return i
}

// Log converts an interval of ratios to one of logarithms.
func (i Interval) Log() Interval {
	i.Estimate, i.Low, i.High = math.Log(i.Estimate), math.Log(i.Low), math.Log(i.High)
	return i
}

// TooFewError reports that an interval of the confidence Level takes at least
// Need observations, and there are N.
type TooFewError struct {
	N, Need int
	Level   float64
}

func (e *TooFewError) Error() string {
	return fmt.Sprintf("%d observations are too few for a %g %% interval (want at least %d)", e.N, 100*e.Level, e.Need)
}

// ErrNoData reports that a sample is empty.
var ErrNoData = errors.New("no observations")

// check returns an error if level is not a probability or x has a value that is
// not finite.
func check(x []float64, level float64) error {
	if !(level > 0 && level < 1) {
		return fmt.Errorf("the confidence level must be between 0 and 1 (got %v)", level)
	}
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("observation %v is not a finite number", v)
		}
	}
	return nil
}

// Median returns the median of x, or NaN if x is empty.
func Median(x []float64) float64 {
	n := len(x)
	if n == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(x))
	return average(s[(n-1)/2], s[n/2])
}

// GeometricMean returns the geometric mean of x, or NaN if x is empty or a value
// is not positive.
func GeometricMean(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	var sum float64
	for _, v := range x {
		if !(v > 0) {
			return math.NaN()
		}
		sum += math.Log(v)
	}
	return math.Exp(sum / float64(len(x)))
}

// LogRatios returns the logarithms of num[i]/den[i]. It returns an error if the
// lengths differ or a value is not positive.
func LogRatios(num, den []float64) ([]float64, error) {
	if len(num) != len(den) {
		return nil, fmt.Errorf("samples differ in length: %d and %d", len(num), len(den))
	}
	d := make([]float64, len(num))
	for i := range num {
		if !(num[i] > 0 && den[i] > 0) {
			return nil, fmt.Errorf("both values of a ratio must be above 0 (got %v and %v)", num[i], den[i])
		}
		d[i] = math.Log(num[i]) - math.Log(den[i])
	}
	return d, nil
}
