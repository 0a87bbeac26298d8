package search

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"floodgate/bench/load"
	"floodgate/scenarios"
)

// The number of random arrivals agrees with the rate. They are the same each time, and
// different for a confirmation.
func TestSeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Probe{Rate: rapid.Float64Range(1, 200).Draw(t, "rate"), Window: 5 * time.Second}
		of, a := rapid.Uint64().Draw(t, "seed"), scenarios.Arrivals{Poisson: true}
		s := seed(of, a, p)
		n := len(load.Arrivals{Rate: load.Constant(p.Rate), Poisson: true, Seed: s, For: p.Window}.Times())
		if want := p.Rate * 5; math.Abs(float64(n)-want) > max(1, 0.02*want) {
			t.Fatalf("%d reports at %v/s in 5 s", n, p.Rate)
		}
		if again := seed(of, a, p); again != s {
			t.Fatalf("seed %d, then %d", s, again)
		}
		p.Confirms = true
		if other := seed(of, a, p); other == s {
			t.Fatalf("the same seed %d to try and to confirm", s)
		}
	})
}
