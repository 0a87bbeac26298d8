package history

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
)

// energy returns Q by its definition.
func energy(x, y []float64) float64 {
	mean := func(a, b []float64, self bool) float64 {
		sum, n := 0.0, 0
		for i, v := range a {
			for j, w := range b {
				if !self || i != j {
					sum, n = sum+math.Abs(v-w), n+1
				}
			}
		}
		return sum / float64(n)
	}
	n, m := float64(len(x)), float64(len(y))
	return n * m / (n + m) * (2*mean(x, y, false) - mean(x, x, true) - mean(y, y, true))
}

// bestSplit finds the best of all splits, each evaluated by the definition.
func TestBestSplitIsTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SliceOfN(rapid.Float64Range(-100, 100), 0, 16).Draw(t, "z")
		minSize := rapid.IntRange(2, 4).Draw(t, "minSize")
		most := 0.0
		for k := range len(z) + 1 {
			for cut := minSize; cut <= k-minSize; cut++ {
				most = max(most, energy(z[:cut], z[cut:k]))
			}
		}
		q, at := bestSplit(z, minSize)
		if math.Abs(q-most) > 1e-9*(1+most) {
			t.Fatalf("%v at %d, best is %v", q, at, most)
		}
		if most < 1e-6 {
			return
		}
		here := 0.0 // the best value of this split
		for k := at + minSize; k <= len(z); k++ {
			here = max(here, energy(z[:at], z[at:k]))
		}
		if math.Abs(here-most) > 1e-9*(1+most) {
			t.Fatalf("the split at %d has %v, the best %v", at, here, most)
		}
	})
}
