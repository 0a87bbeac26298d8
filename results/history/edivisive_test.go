package history_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"floodgate/results/history"
)

func draw(rng *rand.Rand, n int, level func(i int) float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = level(i) + rng.NormFloat64()
	}
	return x
}

func at(points []history.ChangePoint) (all []int) {
	for _, c := range points {
		all = append(all, c.At)
	}
	return all
}

// A step of five times the noise is found at its position.
func TestSteps(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, test := range []struct {
		n     int
		steps []int
	}{{12, []int{6}}, {30, []int{3}}, {30, []int{27}}, {30, []int{10, 20}}, {60, []int{20, 24, 50}}, {40, nil}} {
		t.Run(fmt.Sprint(test.n, test.steps), func(t *testing.T) {
			for range 10 {
				x := draw(rng, test.n, func(i int) float64 {
					level := 0.0
					for k, s := range test.steps {
						if i >= s {
							level = []float64{6, -2, 9}[k]
						}
					}
					return level
				})
				got := at(history.EDivisive(x, history.Options{Seed: 4}))
				near := slices.EqualFunc(got, test.steps, func(a, b int) bool { return max(a-b, b-a) <= 1 })
				if len(test.steps) > 0 && !near {
					t.Errorf("found %v, want %v", got, test.steps)
				}
			}
		})
	}
}

// Without a change, one is found at most as often as the level says.
func TestNoChange(t *testing.T) {
	const runs = 250
	rng := rand.New(rand.NewPCG(2, 2))
	for name, next := range map[string]func() float64{
		"normal": rng.NormFloat64,
		"skewed": func() float64 { return math.Exp(rng.NormFloat64()) },
		"whole":  func() float64 { return float64(rng.IntN(3)) },
	} {
		for _, level := range []float64{0.01, 0.05} {
			seen := 0
			for seed := range uint64(runs) {
				x := make([]float64, 10+rng.IntN(20))
				for i := range x {
					x[i] = next()
				}
				if len(history.EDivisive(x, history.Options{Seed: seed, Level: level, Permutations: 199})) > 0 {
					seen++
				}
			}
			if bound := level + 3*math.Sqrt(level*(1-level)/runs); float64(seen) > bound*runs {
				t.Errorf("%s: %d of %d sequences change, at the level %v", name, seen, runs, level)
			}
		}
	}
}

// One run less than needed never shows a step; that many do.
func TestNeeded(t *testing.T) {
	for _, o := range []history.Options{{}, {Level: 0.05}, {MinSize: 6}, {MinSize: 2, Level: 0.2}} {
		o.Permutations = 9999
		needed := o.Needed()
		for n := needed - 1; n <= needed; n++ {
			x := make([]float64, n)
			for i := range x {
				x[i] = float64(i)/1000 + float64(i/((n+1)/2))
			}
			if found := history.EDivisive(x, o); (len(found) > 0) != (n == needed) {
				t.Errorf("%+v: %d needed, with %d found %v", o, needed, n, found)
			}
		}
	}
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 24).Draw(t, "n")
		step := rapid.IntRange(0, 24).Draw(t, "step")
		x := make([]float64, n)
		for i := range x { // whole numbers, so that shifts and scales are exact
			x[i] = float64(rapid.IntRange(0, 9).Draw(t, "x"))
			if i >= step {
				x[i] += 20
			}
		}
		o := history.Options{Seed: rapid.Uint64().Draw(t, "seed"), Permutations: 199}
		found := history.EDivisive(x, o)
		if again := history.EDivisive(x, o); !slices.Equal(found, again) {
			t.Fatalf("%v, again %v", found, again)
		}
		from := 0
		for _, c := range found {
			if c.At-from < 3 || !(c.P > 0 && c.P <= 0.01) {
				t.Fatalf("%+v after %d", c, from)
			}
			from = c.At
		}
		if len(found) > 0 && n-from < 3 {
			t.Fatalf("the last segment of %d begins at %d", n, from)
		}
		shift, scale := float64(rapid.IntRange(-99, 99).Draw(t, "shift")), math.Ldexp(1, rapid.IntRange(-8, 8).Draw(t, "scale"))
		moved := make([]float64, n)
		for i, v := range x {
			moved[i] = shift + scale*v
		}
		if other := history.EDivisive(moved, o); !slices.Equal(found, other) {
			t.Fatalf("%v, moved and scaled %v", found, other)
		}
	})
}

func TestNotFinite(t *testing.T) {
	x := []float64{0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9}
	if len(history.EDivisive(x, history.Options{})) != 1 {
		t.Error("a step is not found")
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		x[3] = bad
		if found := history.EDivisive(x, history.Options{}); found != nil {
			t.Errorf("%v: %v", bad, found)
		}
	}
}
