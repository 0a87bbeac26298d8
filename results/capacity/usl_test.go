package capacity_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"floodgate/results/capacity"
)

// specsdm91 is the SPEC SDM91 benchmark of a Sun SPARCcenter 2000 (Gunther, Guerrilla
// Capacity Planning): users, and scripts per hour.
var specsdm91 = []capacity.Observation{{1, 64.9}, {18, 995.9}, {36, 1652.4}, {72, 1853.2}, {108, 1828.9}, {144, 1775}, {216, 1702.2}}

// R's package usl documents this fit in its README: α 0.0277285, β 0.0001044, γ
// 89.9952330, residual standard error 82.8 on 4 degrees of freedom, residuals from -81.7
// to 111.1.
func TestPlainFitIsThatOfR(t *testing.T) {
	u := capacity.FitPlain(specsdm91)
	for _, c := range []struct {
		name            string
		got, want, half float64
	}{
		{"α", u.Alpha, 0.0277285, 5e-8}, {"β", u.Beta, 0.0001044, 5e-8}, {"γ", u.Gamma, 89.9952330, 5e-5},
		{"standard error", math.Sqrt(capacity.SquaresPlain(u, specsdm91) / 4), 82.8, 0.05},
		{"peak", u.Peak(), math.Sqrt((1 - 0.0277285) / 0.0001044), 0.05},
	} {
		if math.Abs(c.got-c.want) > c.half {
			t.Errorf("%s is %.10g, want %v", c.name, c.got, c.want)
		}
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, o := range specsdm91 {
		low, high = min(low, o.X-u.At(o.N)), max(high, o.X-u.At(o.N))
	}
	if math.Abs(low+81.7) > 0.05 || math.Abs(high-111.1) > 0.05 {
		t.Errorf("residuals from %.4g to %.4g, want -81.7 to 111.1", low, high)
	}
}

// No point of a grid around the fit, nor anywhere else, has a smaller sum of squares.
func TestLogFitIsTheLeast(t *testing.T) {
	f, err := capacity.FitUSL(specsdm91, 1)
	if err != nil {
		t.Fatal(err)
	}
	u := f.Model()
	least := capacity.SquaresLog(u, specsdm91)
	try := func(v capacity.USL) {
		if sum := capacity.SquaresLog(v, specsdm91); sum < least*(1-1e-9) {
			t.Fatalf("%+v has %.12g, %+v that was fitted %.12g", v, sum, u, least)
		}
	}
	for a := -40; a <= 40; a++ {
		for b := -40; b <= 40; b++ {
			for g := -20; g <= 20; g++ {
				fine, wide := 0.001, 0.2
				try(capacity.USL{Gamma: u.Gamma * math.Exp(fine*float64(g)), Alpha: u.Alpha * math.Exp(fine*float64(a)), Beta: u.Beta * math.Exp(fine*float64(b))})
				try(capacity.USL{Gamma: u.Gamma * math.Exp(0.05*float64(g)), Alpha: u.Alpha * math.Exp(wide*float64(a)), Beta: u.Beta * math.Exp(wide*float64(b))})
			}
		}
	}
	if plain := capacity.FitPlain(specsdm91); capacity.SquaresLog(plain, specsdm91) <= least {
		t.Errorf("the plain fit %+v is as good", plain)
	}
}

// drawn returns repeated observations of a model with lognormal noise.
func drawn(u capacity.USL, limits []float64, repeat int, sigma float64, seed uint64) []capacity.Observation {
	rng := rand.New(rand.NewPCG(seed, 7))
	var all []capacity.Observation
	for _, n := range limits {
		for range repeat {
			all = append(all, capacity.Observation{N: n, X: u.At(n) * math.Exp(sigma*rng.NormFloat64())})
		}
	}
	return all
}

var powers = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}

// Without noise, the fit recovers the parameters.
func TestFitRecoversAKnownModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := capacity.USL{
			Gamma: math.Exp(rapid.Float64Range(0, 8).Draw(t, "ln γ")),
			Alpha: math.Exp(rapid.Float64Range(-6, -0.7).Draw(t, "ln α")),
			Beta:  math.Exp(rapid.Float64Range(-10, -4).Draw(t, "ln β")),
		}
		m := capacity.FitLog(drawn(u, powers, 1, 0, 1))
		near := func(got, want float64) bool { return math.Abs(got/want-1) < 1e-4 }
		if !near(m.Gamma, u.Gamma) || !near(m.Alpha, u.Alpha) || !near(m.Beta, u.Beta) || !near(m.Peak(), u.Peak()) {
			t.Fatalf("%+v, want %+v", m, u)
		}
	})
}

// With noise, the intervals usually cover the true parameters. The bootstrap of six
// repetitions is too narrow by a factor of √(5/6), so the coverage is slightly below 95
// %.
func TestIntervalsCover(t *testing.T) {
	u := capacity.USL{Gamma: 40, Alpha: 0.02, Beta: 2e-4}
	const rounds = 40
	var gamma, alpha, beta, peak int
	for seed := range uint64(rounds) {
		f, err := capacity.FitUSL(drawn(u, powers, 6, 0.05, seed), seed)
		if err != nil {
			t.Fatal(err)
		}
		in := func(low, x, high float64) int {
			if low <= x && x <= high {
				return 1
			}
			return 0
		}
		gamma += in(f.Gamma.Low, u.Gamma, f.Gamma.High)
		alpha += in(f.Alpha.Low, u.Alpha, f.Alpha.High)
		beta += in(f.Beta.Low, u.Beta, f.Beta.High)
		if f.Peak == nil {
			t.Fatalf("seed %d: no peak", seed)
		}
		peak += in(f.Peak.Low, u.Peak(), f.Peak.High)
	}
	// P(fewer than 30 of 40) is below 0.2 % for a coverage of 91 %.
	for name, n := range map[string]int{"γ": gamma, "α": alpha, "β": beta, "peak": peak} {
		if n < 30 {
			t.Errorf("%s lies within %d of %d intervals", name, n, rounds)
		}
	}
}

// A model without contention has no peak, and the fit reports none.
func TestNoPeak(t *testing.T) {
	f, err := capacity.FitUSL(drawn(capacity.USL{Gamma: 10}, powers[:6], 3, 0, 1), 1)
	if m := f.Model(); err != nil || m.Alpha != 0 || m.Beta != 0 || math.Abs(m.Gamma-10) > 1e-9 || f.Peak != nil || !math.IsInf(m.Peak(), 1) {
		t.Errorf("%+v, peak %v, %v", m, f.Peak, err)
	}
	f, err = capacity.FitUSL(drawn(capacity.USL{Gamma: 10, Alpha: 0.1}, powers[:6], 3, 0, 1), 1)
	if m := f.Model(); err != nil || m.Beta > 1e-9 || math.Abs(m.Alpha-0.1) > 1e-6 || f.Peak != nil && m.Beta == 0 {
		t.Errorf("%+v, peak %v, %v", m, f.Peak, err)
	}
	if p := (capacity.USL{Gamma: 1, Alpha: 2, Beta: 1}).Peak(); p != 1 {
		t.Errorf("peak at %v where two do less than one", p)
	}
}

func TestFitIsDeterministic(t *testing.T) {
	all := drawn(capacity.USL{Gamma: 40, Alpha: 0.02, Beta: 2e-4}, powers, 6, 0.05, 3)
	a, _ := capacity.FitUSL(all, 5)
	b, _ := capacity.FitUSL(all, 5)
	c, _ := capacity.FitUSL(all, 6)
	if !reflect.DeepEqual(a, b) || reflect.DeepEqual(a.Alpha, c.Alpha) || a.Model() != c.Model() {
		t.Errorf("%+v\n%+v\n%+v", a, b, c)
	}
}

func TestFitRefuses(t *testing.T) {
	for _, all := range [][]capacity.Observation{
		nil, specsdm91[:3], {{1, 1}, {1, 2}, {2, 2}, {2, 3}, {3, 3}},
		{{0, 1}, {2, 2}, {3, 3}, {4, 4}}, {{1, 0}, {2, 2}, {3, 3}, {4, 4}}, {{1, math.NaN()}, {2, 2}, {3, 3}, {4, 4}}, {{1, math.Inf(1)}, {2, 2}, {3, 3}, {4, 4}},
	} {
		if f, err := capacity.FitUSL(all, 1); err == nil {
			t.Errorf("%v gave %+v", all, f)
		}
	}
}
