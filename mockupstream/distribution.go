package mockupstream

import (
	"math"
	"time"
)

// Normal quantiles of 0.95 and 0.99.
const (
	z95 = 1.6448536269514722
	z99 = 2.3263478740408408
)

// maxDelay bounds every drawn delay, so that none overflows a time.Duration.
const maxDelay = 24 * time.Hour

// Quantile is the delay below which the share u (0 < u < 1) of all delays
// lies: the inverse of the distribution function. The delay of a draw is
// Quantile of a uniform number. It expects a valid distribution.
//
// "percentiles" interpolates in normal space: with z the normal quantile of u,
// log(delay) is linear in z between (0, log P50), (1.645, log P95) and
// (2.326, log P99); below P50 the first line goes on, above P99 the second, up
// to Max. It so is exactly lognormal where the three points are.
func (d *Distribution) Quantile(u float64) time.Duration {
	return time.Duration(d.Plus) + d.quantile(u)
}

func (d *Distribution) quantile(u float64) time.Duration {
	switch d.Kind {
	case "constant":
		return time.Duration(d.Value)
	case "uniform":
		return time.Duration(d.Min) + time.Duration(u*float64(d.Max-d.Min))
	case "lognormal":
		return atMost(float64(d.Median)*math.Exp(d.Sigma*normalQuantile(u)), d.Max)
	case "percentiles":
		return d.percentiles(normalQuantile(u))
	case "replay":
		if n := len(d.Samples); n > 0 {
			return time.Duration(d.Samples[min(int(u*float64(n)), n-1)])
		}
	}
	return 0
}

func (d *Distribution) percentiles(z float64) time.Duration {
	l50, l95, l99 := math.Log(float64(d.P50)), math.Log(float64(d.P95)), math.Log(float64(d.P99))
	logDelay := l50 + (l95-l50)/z95*z
	if z > z95 {
		logDelay = l95 + (l99-l95)/(z99-z95)*(z-z95)
	}
	limit := d.Max
	if limit == 0 {
		limit = 10 * d.P99
	}
	return atMost(math.Exp(logDelay), limit)
}

// atMost is x nanoseconds, cut to limit (0: maxDelay).
func atMost(x float64, limit Duration) time.Duration {
	if limit == 0 || time.Duration(limit) > maxDelay {
		limit = Duration(maxDelay)
	}
	return time.Duration(math.Min(x, float64(limit)))
}

// normalQuantile is the inverse of the standard normal distribution function.
func normalQuantile(u float64) float64 { return math.Sqrt2 * math.Erfinv(2*u-1) }
