package mockupstream

import (
	"math"
	"time"

	"floodgate/mockupstream/rng"
)

// Draw holds the random choices for one request.
type Draw struct {
	// Delay before the first byte, without the wait for a worker.
	Delay time.Duration
	// Fault to inject; nil means none.
	Fault *Fault
	// Records in the answer; the same for every attempt.
	Records int
}

// Draw returns the random choices for an attempt (1 is the first) at key, a
// pure function of its arguments. The delay, each fault (by its place in the
// list) and the number of records have random streams of their own: changing
// one leaves the draws of the others as they were. Draw ignores phases; see [Profile.At].
func (p Profile) Draw(seed uint64, key string, attempt int) Draw {
	return p.draw(hashKey(seed, key), attempt)
}

func (p *Profile) draw(hash uint64, attempt int) Draw {
	d := Draw{Records: p.Body.records(hash), Delay: p.Latency.Quantile(rng.Uniform(stream(hash, attempt, purposeDelay)))}
	for i := range p.Faults {
		if rng.Uniform(stream(hash, attempt, purposeFault+i)) < p.Faults[i].Probability {
			d.Fault = &p.Faults[i]
			break
		}
	}
	return d
}

// At returns the profile in force after the elapsed time: the phases that have
// begun by then are applied, and the result has no phases.
func (p Profile) At(elapsed time.Duration) Profile {
	for _, phase := range p.Phases {
		if time.Duration(phase.After) > elapsed {
			break
		}
		p = phase.apply(p)
	}
	p.Phases = nil
	return p
}

func (ph *Phase) apply(p Profile) Profile {
	if ph.Latency != nil {
		p.Latency = *ph.Latency
	}
	if ph.Faults != nil {
		p.Faults = ph.Faults
	}
	if ph.Capacity != nil {
		p.Capacity = ph.Capacity
	}
	if ph.Rate != nil {
		p.Rate = ph.Rate
	}
	return p
}

func (b *Body) records(hash uint64) int {
	return b.Quantile(rng.Uniform(stream(hash, 0, purposeRecords)))
}

// Quantile returns the number of records that the share u (0 < u < 1) of all
// answers does not exceed. A draw applies it to a uniform random number. The body
// must be valid.
func (b *Body) Quantile(u float64) int {
	if b.Content != "" {
		return b.Count
	}
	lo, hi := b.Min, b.Max
	if b.Kind == "lognormal" {
		if hi == 0 {
			hi = 100 * b.Median
		}
		n := math.Round(float64(b.Median) * math.Exp(b.Sigma*normalQuantile(u)))
		return int(min(max(n, float64(lo)), float64(hi)))
	}
	if lo == 0 && hi == 0 {
		return 1
	}
	return lo + int(u*float64(hi-lo+1))
}

// Purposes of random streams. Faults come last because their number varies.
const (
	purposeDelay = iota + 1
	purposeRecords
	purposeContent
	purposeFault
)

// hashKey returns the FNV-1a hash of key, with the seed mixed in at both ends.
func hashKey(seed uint64, key string) uint64 {
	h := uint64(14695981039346656037) ^ rng.Mix(seed)
	for i := 0; i < len(key); i++ {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	return rng.Mix(h + seed)
}

// stream returns the random number for one purpose of one attempt at a key.
func stream(hash uint64, attempt, purpose int) uint64 {
	return rng.At(rng.At(hash, uint64(attempt)), uint64(purpose))
}

// Normal quantiles of 0.95 and 0.99.
const (
	z95 = 1.6448536269514722
	z99 = 2.3263478740408408
)

// maxDelay bounds every drawn delay, so that none overflows a time.Duration.
const maxDelay = 24 * time.Hour

// Quantile returns the delay below which the share u (0 < u < 1) of all delays
// lies: the inverse of the distribution function. A draw applies it to a
// uniform random number. The distribution must be valid.
//
// "percentiles" interpolates in normal space: with z the normal quantile of u,
// log(delay) is linear in z between (0, log P50), (1.645, log P95) and
// (2.326, log P99). The first line extends below P50, the second above P99, up
// to Max. If the three points are those of a lognormal distribution, so is the result.
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

// atMost returns x nanoseconds, at most limit; a zero limit means maxDelay.
func atMost(x float64, limit Duration) time.Duration {
	if limit == 0 || time.Duration(limit) > maxDelay {
		limit = Duration(maxDelay)
	}
	return time.Duration(math.Min(x, float64(limit)))
}

// normalQuantile returns the inverse of the standard normal distribution function at u.
func normalQuantile(u float64) float64 { return math.Sqrt2 * math.Erfinv(2*u-1) }
