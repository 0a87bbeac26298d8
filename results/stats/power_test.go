package stats_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"floodgate/results/stats"
)

// The minimum detectable ratio is found about as often as requested, even if all rules of
// the design are simulated with other draws.
func TestMinimumDetectable(t *testing.T) {
	for _, test := range []struct {
		name  string
		noise stats.Noise
		power float64
	}{{"normal", stats.NormalNoise(0.03), 0.8}, {"shared", sharedCI, 0.95}} {
		l := stats.DefaultDesign()
		ratio, err := l.MinimumDetectable(test.noise, test.power, 1)
		if err != nil {
			t.Fatal(err)
		}
		rates, err := l.Detection(test.noise, ratio, 600, 2)
		if err != nil {
			t.Fatal(err)
		}
		// Both are simulated: four standard errors of the difference, plus one point for
		// early ends.
		within := 4*math.Sqrt(test.power*(1-test.power)*(1.0/1000+1.0/600)) + 0.01
		if math.Abs(rates.Worse.Estimate-test.power) > within || ratio <= 1+l.Margin {
			t.Errorf("%s noise, power %v: %.4f is found in %.3f", test.name, test.power, ratio, rates.Worse.Estimate)
		}
	}
}

// One analysis of normal noise agrees with the normal approximation: the interval exceeds
// the limit at (z of the level + z of the power) standard errors of the Hodges-Lehmann
// estimate, whose variance is π/3 of that of the mean.
func TestMinimumDetectableTheory(t *testing.T) {
	const sd, n = 0.05, 60
	l := stats.Design{At: []int{n}, Alpha: 0.05, Margin: 0.02}
	got, err := l.MinimumDetectable(stats.NormalNoise(sd), 0.8, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := 1.02 * math.Exp((1.959964+0.841621)*sd*math.Sqrt(math.Pi/3/n))
	if math.Abs(math.Log(got/want)) > 0.002 {
		t.Errorf("%v, want about %v", got, want)
	}
}

func TestDetectionCounts(t *testing.T) {
	l := stats.DefaultDesign()
	still := func(_ *rand.Rand, n int) []float64 { return make([]float64, n) }
	for ratio, want := range map[float64][3]float64{1: {0, 1, 0}, 1.2: {1, 0, 0}} {
		got, err := l.Detection(still, ratio, 30, 1)
		if err != nil || [3]float64{got.Worse.Estimate, got.NotWorse.Estimate, got.Undecided.Estimate} != want || math.Abs(got.Pairs-8) > 1e-9 || got.Worse.N != 30 {
			t.Errorf("%v: %+v, %v", ratio, got, err)
		}
	}
	a, err := l.Detection(sharedCI, 1.05, 50, 1)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := l.Detection(sharedCI, 1.05, 50, 1)
	c, _ := l.Detection(sharedCI, 1.05, 50, 2)
	if a != b || a == c {
		t.Errorf("seed 1: %+v and %+v, seed 2: %+v", a, b, c)
	}
}

func TestRecordedNoiseKeepsNeighbors(t *testing.T) {
	d := []float64{1, 2, 3, 4, 5, 6, 7} // center 4
	noise, err := stats.RecordedNoise(d, 3)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[float64]bool{}
	for seed := range uint64(50) {
		got := noise(rand.New(rand.NewPCG(seed, 1)), 8)
		if len(got) != 8 {
			t.Fatalf("%d values", len(got))
		}
		for i, v := range got {
			seen[v] = true
			next := v + 1
			if v == 3 {
				next = -3
			}
			if i%3 < 2 && i < 7 && got[i+1] != next {
				t.Fatalf("%v: %v is followed by %v", got, v, got[i+1])
			}
		}
	}
	if len(seen) != 7 || !slices.Equal(d, []float64{1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("drawn: %v; argument: %v", seen, d)
	}
}

func TestPowerRefuses(t *testing.T) {
	l, noise := stats.DefaultDesign(), stats.NormalNoise(0.03)
	broken := func(_ *rand.Rand, n int) []float64 { return slices.Repeat([]float64{math.NaN()}, n) }
	for name, err := range map[string]error{
		"power 0":                 second(l.MinimumDetectable(noise, 0, 1)),
		"power 1":                 second(l.MinimumDetectable(noise, 1, 1)),
		"no design":               second(stats.Design{}.MinimumDetectable(noise, 0.8, 1)),
		"noise not a number":      second(l.MinimumDetectable(broken, 0.8, 1)),
		"ratio 0":                 second(l.Detection(noise, 0, 10, 1)),
		"ratio not a number":      second(l.Detection(noise, math.NaN(), 10, 1)),
		"ratio without end":       second(l.Detection(noise, math.Inf(1), 10, 1)),
		"no runs":                 second(l.Detection(noise, 1, 0, 1)),
		"no design to detect":     second(stats.Design{}.Detection(noise, 1, 10, 1)),
		"detection in no numbers": second(l.Detection(broken, 1, 10, 1)),
		"nothing recorded":        second(stats.RecordedNoise(nil, 1)),
		"recorded not a number":   second(stats.RecordedNoise([]float64{math.NaN()}, 1)),
		"no block":                second(stats.RecordedNoise([]float64{1}, 0)),
		"block too long":          second(stats.RecordedNoise([]float64{1}, 2)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }
