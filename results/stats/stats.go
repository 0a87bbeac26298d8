// Package stats decides what few, noisy, paired measurements allow to be said.
//
// Measurements come in blocks, so the unit is the pair: the logarithm of the
// ratio of two times of one block. [SignedRank] estimates its centre with an
// exact interval that holds for any symmetric distribution, at any sample
// size; [Bootstrap] checks it by resampling; [Quantile] bounds a quantile of
// any distribution. [Looks] judge pairs while they come in. All are pure
// functions, and none changes its arguments.
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
	// Achieved is the confidence that the interval has; exact intervals exist
	// at certain levels only, and the next one not below Level is taken.
	Achieved float64 `json:"achieved"`
	// N is the number of observations or pairs.
	N int `json:"n"`
}

// Side says where the interval lies: -1 wholly at or below limit, +1 wholly
// above it, 0 on both sides.
func (i Interval) Side(limit float64) int {
	switch {
	case i.High <= limit:
		return -1
	case i.Low > limit:
		return +1
	}
	return 0
}

// Exp takes an interval of logarithms back to the scale of the values.
func (i Interval) Exp() Interval {
	i.Estimate, i.Low, i.High = math.Exp(i.Estimate), math.Exp(i.Low), math.Exp(i.High)
	return i
}

// Log takes an interval of ratios to the scale of their logarithms.
func (i Interval) Log() Interval {
	i.Estimate, i.Low, i.High = math.Log(i.Estimate), math.Log(i.Low), math.Log(i.High)
	return i
}

// TooFewError reports that N observations cannot give an interval of the
// confidence Level, whatever their values; Need can.
type TooFewError struct {
	N, Need int
	Level   float64
}

func (e *TooFewError) Error() string {
	return fmt.Sprintf("%d observations are too few for a %g %% interval (want at least %d)", e.N, 100*e.Level, e.Need)
}

// ErrNoData is returned for an empty sample where one value would do.
var ErrNoData = errors.New("no observations")

// check refuses what no statistic is defined on.
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

// Median returns the middle of x, or the mean of its two middles; NaN for none.
func Median(x []float64) float64 {
	n := len(x)
	if n == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(x))
	return average(s[(n-1)/2], s[n/2])
}

// GeometricMean of positive values; NaN for none, or where one is not positive.
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

// LogRatios returns the logarithms of num[i]/den[i]. Values must be positive and
// the slices of one length.
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
