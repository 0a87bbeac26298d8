package whatif

import "time"

// Constant is always d.
func Constant(d time.Duration) Distribution {
	return byQuantile(func(float64) float64 { return float64(d) })
}

// Quantiles is the distribution with the given quantile function.
func Quantiles(quantile func(u float64) time.Duration) Distribution {
	return byQuantile(func(u float64) float64 { return float64(quantile(u)) })
}
