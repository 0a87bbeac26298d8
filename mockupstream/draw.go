package mockupstream

import (
	"math"
	"time"

	"floodgate/mockupstream/rng"
)

// Draw is what chance decides for one request.
type Draw struct {
	// Delay before the first byte, without waiting for a worker.
	Delay time.Duration
	// Fault to inject; nil: none.
	Fault *Fault
	// Records in the answer; the same for every attempt.
	Records int
}

// Draw is the draw for an attempt (1 is the first) at key: a pure function of
// its arguments. Delay, each fault (by its place in the list) and records have
// random streams of their own: changing one leaves the others' draws alone.
// Phases are not looked at; see At.
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

// At is the profile that holds once elapsed time has passed since it was set:
// its phases up to then applied, none left.
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
	u := rng.Uniform(stream(hash, 0, purposeRecords))
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

// Purposes of random streams. Faults come last: there may be any number.
const (
	purposeDelay = iota + 1
	purposeRecords
	purposeContent
	purposeFault
)

// hashKey is FNV-1a over key, begun at and finished with the seed mixed in.
func hashKey(seed uint64, key string) uint64 {
	h := uint64(14695981039346656037) ^ rng.Mix(seed)
	for i := 0; i < len(key); i++ {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	return rng.Mix(h + seed)
}

// stream is a random number for one purpose of one attempt at a key.
func stream(hash uint64, attempt, purpose int) uint64 {
	return rng.At(rng.At(hash, uint64(attempt)), uint64(purpose))
}
