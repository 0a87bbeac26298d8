package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"floodgate/results/stats"
)

const repetitions = 3000

// coverage returns how often an interval contains the true center, 0.
func coverage(t *testing.T, n int, draw func(*rand.Rand) float64, interval func([]float64) (stats.Interval, error)) float64 {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	held, d := 0, make([]float64, n)
	for range repetitions {
		for i := range d {
			d[i] = draw(rng)
		}
		got, err := interval(d)
		if err != nil {
			t.Fatal(err)
		}
		if got.Low <= 0 && 0 <= got.High {
			held++
		}
	}
	return float64(held) / repetitions
}

// tolerance returns four standard errors of a simulated coverage. Because seeds are
// fixed, a test always passes or always fails.
func tolerance(c float64) float64 { return 4 * math.Sqrt(c*(1-c)/repetitions) }

func symmetric() map[string]func(*rand.Rand) float64 {
	return map[string]func(*rand.Rand) float64{
		"normal":  func(r *rand.Rand) float64 { return 0.03 * r.NormFloat64() },
		"uniform": func(r *rand.Rand) float64 { return r.Float64() - 0.5 },
		"outliers": func(r *rand.Rand) float64 {
			if r.Float64() < 0.05 {
				return 5 * r.NormFloat64()
			}
			return 0.03 * r.NormFloat64()
		},
		"cauchy": func(r *rand.Rand) float64 { return r.NormFloat64() / r.NormFloat64() },
		// Times are skewed, but the log-ratio of two times of the same distribution is
		// not.
		"skewed": func(r *rand.Rand) float64 { return math.Log1p(r.ExpFloat64()) - math.Log1p(r.ExpFloat64()) },
	}
}

// The coverage of the signed-rank interval is its level, for every symmetric
// distribution.
func TestSignedRankCoverage(t *testing.T) {
	for name, draw := range symmetric() {
		for _, n := range []int{6, 8, 10, 20} {
			var achieved float64
			c := coverage(t, n, draw, func(d []float64) (stats.Interval, error) {
				i, err := stats.SignedRank(d, 0.95)
				achieved = i.Achieved
				return i, err
			})
			if math.Abs(c-achieved) > tolerance(achieved) {
				t.Errorf("%s, n = %d: covers %.4f, says %.4f", name, n, c, achieved)
			}
		}
	}
}

// The same check fails for a method that promises too much: mean ± 1.96 standard errors.
func TestCoverageCheckCanFail(t *testing.T) {
	c := coverage(t, 6, symmetric()["normal"], func(d []float64) (stats.Interval, error) {
		var sum, squares float64
		for _, v := range d {
			sum += v
		}
		mean := sum / float64(len(d))
		for _, v := range d {
			squares += (v - mean) * (v - mean)
		}
		e := 1.96 * math.Sqrt(squares/float64(len(d)-1)/float64(len(d)))
		return stats.Interval{Low: mean - e, High: mean + e}, nil
	})
	if math.Abs(c-0.95) <= tolerance(0.95) {
		t.Errorf("it covers %.4f", c)
	}
}

// The bootstrap, which is only a check, has almost its level with many pairs, and is too
// narrow with few.
func TestBootstrapCoverage(t *testing.T) {
	const runs = 150
	for _, test := range []struct {
		kind      string
		n         int
		low, high float64
	}{{"normal", 6, 0.80, 0.945}, {"skewed", 12, 0.88, 0.98}, {"outliers", 12, 0.88, 0.98}} {
		draw, rng, held := symmetric()[test.kind], rand.New(rand.NewPCG(2, 2)), 0
		for seed := range uint64(runs) {
			d := make([]float64, test.n)
			for i := range d {
				d[i] = draw(rng)
			}
			got, err := stats.Bootstrap(d, 0.95, seed)
			if err != nil {
				t.Fatal(err)
			}
			if got.Low <= 0 && 0 <= got.High {
				held++
			}
		}
		if c := float64(held) / runs; c < test.low || c > test.high {
			t.Errorf("%s, n = %d: covers %.3f", test.kind, test.n, c)
		} else {
			t.Logf("%s, n = %d: covers %.3f", test.kind, test.n, c)
		}
	}
}
