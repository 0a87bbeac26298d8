package noise

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSlope(t *testing.T) {
	for _, test := range []struct {
		x    []float64
		want float64
	}{{nil, 0}, {[]float64{7}, 0}, {[]float64{1, 3}, 2}, {[]float64{0, 1, 2, 3, 100}, 1}, {[]float64{5, 5, 5}, 0}} {
		if got := slope(test.x); got != test.want {
			t.Errorf("%v: %v, want %v", test.x, got, test.want)
		}
	}
}

// At lag 1 the ranks of 1 … n have the autocorrelation 1 - 3/n - …, computed here from
// its definition, and the result depends on the seed only.
func TestFollows(t *testing.T) {
	x := make([]float64, 12)
	for i := range x {
		x[i] = float64(i * i)
	}
	mean, square, product := 6.5, 0.0, 0.0
	for i := 1.0; i <= 12; i++ {
		square += (i - mean) * (i - mean)
		if i < 12 {
			product += (i - mean) * (i + 1 - mean)
		}
	}
	r, significant := autocorrelation(x, 0.01, 1)
	if math.Abs(r-product/square) > 1e-12 || !significant {
		t.Errorf("rising: %v, %v, want %v", r, significant, product/square)
	}
	for i := range x {
		x[i] = float64(i % 2)
	}
	if r, significant := autocorrelation(x, 0.01, 1); r > -0.8 || significant {
		t.Errorf("alternating: %v, %v: different neighbors are harmless", r, significant)
	}
	if r, significant := autocorrelation(make([]float64, 12), 0.5, 1); r != 0 || significant {
		t.Errorf("constant: %v, %v", r, significant)
	}
	if _, significant := autocorrelation([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, 0.5, 1); significant {
		t.Error("nine values are too few to tell")
	}
	if _, significant := autocorrelation([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 1e-4, 1); significant {
		t.Error("so few permutations cannot tell at this level")
	}
}

// noises returns generators of independent values: with short and long tails, skewed, and
// with ties.
func noises(rng *rand.Rand) map[string]func() float64 {
	return map[string]func() float64{
		"normal":  rng.NormFloat64,
		"laplace": func() float64 { return rng.ExpFloat64() - rng.ExpFloat64() },
		"skewed":  func() float64 { return math.Exp(1.5 * rng.NormFloat64()) },
		"ties":    func() float64 { return float64(rng.IntN(3)) },
		"bursts": func() float64 {
			if rng.IntN(10) == 0 {
				return 20 * rng.NormFloat64()
			}
			return rng.NormFloat64()
		},
	}
}

// doubts returns the number of claims, each with several comparisons, that are doubted.
func doubts(claims, together, n int, seed uint64, draw func() []float64) (doubted int) {
	for claim := range claims {
		found := 0
		for c := range together {
			found += len(Pairs{LogRatios: draw(), Seed: seed + uint64(claim*together+c)}.Diagnose(together))
		}
		if found > 0 {
			doubted++
		}
	}
	return doubted
}

// At most one claim in a hundred with independent pairs is doubted.
func TestFalseAlarms(t *testing.T) {
	const claims = 40
	rng := rand.New(rand.NewPCG(7, 1))
	all, doubted := 0, 0
	for _, name := range slices.Sorted(maps.Keys(noises(rng))) {
		next := noises(rng)[name]
		for _, n := range []int{6, 10, 20, 40} {
			for _, together := range []int{1, 6} {
				all += claims
				doubted += doubts(claims, together, n, 3, func() []float64 {
					x := make([]float64, n)
					for i := range x {
						x[i] = 0.05 * next()
					}
					return x
				})
			}
		}
	}
	rate := float64(doubted) / float64(all)
	if bound := FalseAlarms + 3*math.Sqrt(FalseAlarms*(1-FalseAlarms)/float64(all)); rate > bound {
		t.Errorf("%d of %d claims doubted for nothing: %.2f %%, allowed %.2f %% with the error of this simulation", doubted, all, 100*rate, 100*bound)
	}
}

// autoregressive returns values of a stationary AR(1) process.
func autoregressive(rng *rand.Rand, n int, rho float64) []float64 {
	x := make([]float64, n)
	v := rng.NormFloat64() / math.Sqrt(1-rho*rho)
	for i := range x {
		x[i] = 0.05 * v
		v = rho*v + rng.NormFloat64()
	}
	return x
}

// Autocorrelated pairs are doubted, the more pairs the more reliably, and so is a trend
// of ten times the noise.
func TestDependenceIsSeen(t *testing.T) {
	const claims = 100
	rng := rand.New(rand.NewPCG(7, 2))
	for _, test := range []struct {
		n     int
		least float64
	}{{20, 0.65}, {40, 0.95}} {
		got := float64(doubts(claims, 1, test.n, 5, func() []float64 { return autoregressive(rng, test.n, 0.9) })) / claims
		if got < test.least {
			t.Errorf("%d pairs with an autocorrelation of 0.9: seen in %.0f %% of the claims, want %.0f %%", test.n, 100*got, 100*test.least)
		}
	}
	for _, n := range []int{8, 20} {
		seen := doubts(claims, 1, n, 5, func() []float64 {
			x := make([]float64, n)
			for i := range x {
				x[i] = 0.05*rng.NormFloat64() + 0.5*float64(i)/float64(n-1)
			}
			return x
		})
		if seen < claims*4/5 {
			t.Errorf("%d pairs with a trend of ten times the noise: seen in %d of %d", n, seen, claims)
		}
	}
}

// Six blocks cannot show an autocorrelation.
func TestSixBlocksAreTooFew(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 3))
	for range 500 {
		for _, f := range (Pairs{LogRatios: autoregressive(rng, 6, 0.9)}).Diagnose(1) {
			if f.Kind != KindDrift {
				t.Fatalf("%+v", f)
			}
		}
	}
}
