package claims

import (
	"math"
	"math/rand/v2"
	"testing"

	"floodgate/results/stats"
)

// The widened interval covers the center of autocorrelated values with 0.9 almost as
// often as its level promises; the interval for independent values covers it less than
// half of the time.
func TestWidening(t *testing.T) {
	const runs = 300
	rng := rand.New(rand.NewPCG(2, 6))
	for _, n := range []int{20, 60} {
		plain, wide := 0, 0
		for range runs {
			x := make([]float64, n)
			v := rng.NormFloat64() / math.Sqrt(1-0.81)
			for i := range x {
				x[i], v = v, 0.9*v+rng.NormFloat64()
			}
			interval, err := stats.SignedRank(x, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			if interval.Side(0) == 0 {
				plain++
			}
			if (comparison{interval: interval}).worst(true).Side(0) == 0 {
				wide++
			}
		}
		if wide < runs*93/100 || plain > runs/2 { // 95 %, minus twice the simulation error
			t.Errorf("%d values: %d of %d intervals cover the center, %d when widened", n, plain, runs, wide)
		}
	}
}
