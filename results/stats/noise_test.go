package stats_test

import (
	"math"
	"math/rand/v2"
)

// sharedCI draws the log-ratios of n interleaved pairs with only the noise of a shared
// machine: every trial has its own 3 %, the host drifts by 6 % as an AR(1) process with
// correlation 0.95 from one trial to the next, and one trial in twenty takes a fifth
// longer. The order within a pair is random.
func sharedCI(rng *rand.Rand, n int) []float64 {
	const own, host, stays, outliers, outlier = 0.03, 0.06, 0.95, 0.05, 0.2
	drift := host * rng.NormFloat64()
	trial := func() float64 {
		drift = stays*drift + host*math.Sqrt(1-stays*stays)*rng.NormFloat64()
		v := drift + own*rng.NormFloat64()
		if rng.Float64() < outliers {
			v += outlier
		}
		return v
	}
	d := make([]float64, n)
	for i := range d {
		d[i] = trial() - trial()
		if rng.IntN(2) == 0 {
			d[i] = -d[i]
		}
	}
	return d
}

// slower returns the log-ratios of the same pairs with B slower by ratio.
func slower(d []float64, ratio float64) []float64 {
	for i := range d {
		d[i] += math.Log(ratio)
	}
	return d
}
