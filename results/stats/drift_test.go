package stats_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"floodgate/results/stats"
)

// score counts the pairs that rise, less those that fall.
func score(x []float64) (s int) {
	for i := range x {
		for j := range i {
			if x[j] < x[i] {
				s++
			} else if x[j] > x[i] {
				s--
			}
		}
	}
	return s
}

// permute calls f with every order of x.
func permute(x []float64, n int, f func([]float64)) {
	if n == len(x) {
		f(x)
		return
	}
	for i := n; i < len(x); i++ {
		x[n], x[i] = x[i], x[n]
		permute(x, n+1, f)
		x[n], x[i] = x[i], x[n]
	}
}

// The p-value is the share of all orders that score as far from 0.
func TestTrendAgainstAllOrders(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for n := 2; n <= 7; n++ {
		for range 10 {
			x := make([]float64, n)
			for i := range x {
				x[i] = rng.NormFloat64()
			}
			tau, p, err := stats.Trend(x)
			if err != nil {
				t.Fatal(err)
			}
			s, far, all := score(x), 0, 0
			permute(slices.Clone(x), 0, func(y []float64) {
				all++
				if other := score(y); max(other, -other) >= max(s, -s) {
					far++
				}
			})
			if want := float64(far) / float64(all); math.Abs(p-want) > 1e-12 || math.Abs(tau-float64(s)/float64(n*(n-1)/2)) > 1e-12 {
				t.Errorf("%v: tau %v, p %v, want %v", x, tau, p, want)
			}
		}
	}
}

// Where values are tied or many, p is close to that of random orders.
func TestTrendApproximation(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 9))
	for _, test := range []struct {
		n, kinds int
		slope    float64
	}{{40, 5, 0.04}, {25, 3, 0}, {110, 1 << 40, 0.003}} {
		x := make([]float64, test.n)
		for i := range x {
			x[i] = math.Floor(float64(test.kinds) * (rng.Float64() + test.slope*float64(i)))
		}
		_, p, err := stats.Trend(x)
		if err != nil {
			t.Fatal(err)
		}
		s, far, y := score(x), 0, slices.Clone(x)
		const orders = 4000
		for range orders {
			rng.Shuffle(len(y), func(i, j int) { y[i], y[j] = y[j], y[i] })
			if other := score(y); max(other, -other) >= max(s, -s) {
				far++
			}
		}
		if want := float64(far) / orders; math.Abs(p-want) > 0.01+4*math.Sqrt(want*(1-want)/orders) {
			t.Errorf("%+v: p %v, of random orders %v", test, p, want)
		}
	}
}

func TestTrendProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float64Range(-3, 3), 0, 30).Draw(t, "x")
		before := slices.Clone(x)
		tau, p, err := stats.Trend(x)
		if err != nil || !(p > 0 && p <= 1) || math.Abs(tau) > 1 {
			t.Fatalf("%v, %v, %v", tau, p, err)
		}
		if !slices.Equal(x, before) {
			t.Fatal("it changed its argument")
		}
		slices.Reverse(x)
		if back, q, _ := stats.Trend(x); back != -tau || q != p {
			t.Fatalf("backwards: %v, %v; forwards: %v, %v", back, q, tau, p)
		}
	})
	if tau, p, err := stats.Trend(make([]float64, 20)); tau != 0 || p != 1 || err != nil {
		t.Errorf("all alike: %v, %v, %v", tau, p, err)
	}
	if _, _, err := stats.Trend([]float64{1, math.NaN()}); err == nil {
		t.Error("not a number is taken")
	}
}

// Against the definition by hand, and a process whose autocorrelation is known.
func TestAutocorrelation(t *testing.T) {
	x := []float64{1, 2, 3, 4} // deviations -1.5, -0.5, 0.5, 1.5, squares 5
	for lag, want := range []float64{1, 1.25 / 5, -1.5 / 5, -2.25 / 5} {
		if got := stats.Autocorrelation(x, lag); math.Abs(got-want) > 1e-12 {
			t.Errorf("lag %d: %v, want %v", lag, got, want)
		}
	}
	rng := rand.New(rand.NewPCG(3, 9))
	y, last := make([]float64, 20000), 0.0
	for i := range y {
		last = 0.7*last + rng.NormFloat64()
		y[i] = last
	}
	for lag := range 5 {
		if got, want := stats.Autocorrelation(y, lag), math.Pow(0.7, float64(lag)); math.Abs(got-want) > 0.04 {
			t.Errorf("lag %d: %v, want %v", lag, got, want)
		}
	}
	for _, undefined := range []float64{
		stats.Autocorrelation(nil, 0), stats.Autocorrelation(x, 4), stats.Autocorrelation(x, -1), stats.Autocorrelation([]float64{2, 2, 2}, 1),
	} {
		if !math.IsNaN(undefined) {
			t.Errorf("%v, want none", undefined)
		}
	}
}
