package dbproxy_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"floodgate/bench/environment/dbproxy"
	_ "floodgate/mockupstream/rng/fixedseed"
)

func anyLink(t *rapid.T) dbproxy.Link {
	latency := rapid.Int64Range(0, int64(time.Second)).Draw(t, "latency")
	return dbproxy.Link{
		Latency: time.Duration(latency), Jitter: time.Duration(rapid.Int64Range(0, latency).Draw(t, "jitter")),
		Resets: rapid.Float64Range(0, 1).Draw(t, "resets"), Seed: rapid.Uint64().Draw(t, "seed"),
	}
}

// Delays are uniform around the latency; the tolerance is six standard errors.
func TestJitterProperty(t *testing.T) {
	const n = 4000
	rapid.Check(t, func(t *rapid.T) {
		l := anyLink(t)
		base := rapid.Uint64().Draw(t, "key")
		var sum, squares float64
		for i := range uint64(n) {
			d := l.Draw(base+i, 1).Delay
			if d < l.Latency-l.Jitter || d > l.Latency+l.Jitter {
				t.Fatalf("delay %v, latency %v, jitter %v", d, l.Latency, l.Jitter)
			}
			x := float64(d - l.Latency)
			sum += x
			squares += x * x
		}
		j := float64(l.Jitter)
		if mean := sum / n; math.Abs(mean) > 6*j/math.Sqrt(3*n)+1 {
			t.Errorf("mean is %v off, jitter %v", time.Duration(mean), l.Jitter)
		}
		// E[x²] = j²/3, and its variance is (1/5 − 1/9) j⁴.
		if square := squares / n; math.Abs(square-j*j/3) > 6*j*j*math.Sqrt(4./45/n)+j {
			t.Errorf("mean square %g, want %g: not even", square, j*j/3)
		}
	})
}

// The share of resets is the configured one, and half of them come after the command.
func TestResetsProperty(t *testing.T) {
	const n = 4000
	rapid.Check(t, func(t *rapid.T) {
		l := anyLink(t)
		count := map[dbproxy.Reset]float64{}
		for i := range n {
			count[l.Draw(rapid.Uint64().Draw(t, "key"), i+1).Reset]++
		}
		resets := count[dbproxy.Before] + count[dbproxy.After]
		if p := l.Resets; math.Abs(resets-n*p) > 6*math.Sqrt(n*p*(1-p))+1 {
			t.Errorf("%v resets of %d, want a share of %v", resets, n, p)
		}
		if math.Abs(count[dbproxy.After]-resets/2) > 3*math.Sqrt(resets)+1 {
			t.Errorf("%v of %v resets come after, want half", count[dbproxy.After], resets)
		}
	})
}

// Draws are independent of each other and depend on the seed, the key and the attempt.
func TestDrawsAreIndependent(t *testing.T) {
	l := dbproxy.Link{Latency: time.Second, Jitter: time.Second, Resets: 0.5, Seed: 1}
	others := map[string]func(key uint64) dbproxy.Draw{
		"seed":    func(key uint64) dbproxy.Draw { l := l; l.Seed = 2; return l.Draw(key, 1) },
		"key":     func(key uint64) dbproxy.Draw { return l.Draw(key+1000, 1) },
		"attempt": func(key uint64) dbproxy.Draw { return l.Draw(key, 2) },
	}
	for name, other := range others {
		delays, resets := 0, 0
		for key := range uint64(1000) {
			a, b := l.Draw(key, 1), other(key)
			if a.Delay == b.Delay {
				delays++
			}
			if (a.Reset == dbproxy.NoReset) == (b.Reset == dbproxy.NoReset) {
				resets++
			}
		}
		if delays > 5 || resets < 400 || resets > 600 {
			t.Errorf("another %s: %d of 1000 delays and %d of 1000 resets are the same", name, delays, resets)
		}
	}
	fewer, slower := l, l
	fewer.Resets, slower.Latency = 0.1, time.Minute
	for key := range uint64(1000) {
		d := l.Draw(key, 1)
		if f := fewer.Draw(key, 1); f.Delay != d.Delay || f.Reset != dbproxy.NoReset && f.Reset != d.Reset {
			t.Fatalf("key %d: %+v, with fewer resets %+v", key, d, f)
		}
		if s := slower.Draw(key, 1); s.Reset != d.Reset || s.Delay-d.Delay != time.Minute-time.Second {
			t.Fatalf("key %d: %+v, with more latency %+v", key, d, s)
		}
	}
}

func TestValuesOutOfRange(t *testing.T) {
	for name, test := range map[string]struct {
		link     dbproxy.Link
		min, max time.Duration
		reset    bool
	}{
		"nothing":             {},
		"negative":            {link: dbproxy.Link{Latency: -1, Jitter: -5, Resets: -1, Bandwidth: -1}},
		"not a number":        {link: dbproxy.Link{Resets: math.NaN()}},
		"jitter alone":        {link: dbproxy.Link{Jitter: time.Second}},
		"jitter over latency": {link: dbproxy.Link{Latency: time.Second, Jitter: time.Hour}, max: 2 * time.Second},
		"always":              {link: dbproxy.Link{Resets: 2}, reset: true},
	} {
		for key := range uint64(100) {
			d := test.link.Draw(key, 1)
			if d.Delay < test.min || d.Delay > test.max || (d.Reset != dbproxy.NoReset) != test.reset {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
}
