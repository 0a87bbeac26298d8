package stats_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results/stats"
)

// orders calls f with every order of x.
func orders(x []float64, f func([]float64)) {
	var place func(k int)
	place = func(k int) {
		if k == len(x) {
			f(x)
			return
		}
		for i := k; i < len(x); i++ {
			x[k], x[i] = x[i], x[k]
			place(k + 1)
			x[k], x[i] = x[i], x[k]
		}
	}
	place(0)
}

func kendall(x []float64) (s int) {
	for i := range x {
		for j := range i {
			if x[i] > x[j] {
				s++
			} else if x[i] < x[j] {
				s--
			}
		}
	}
	return s
}

// The p-value is the share of all orders with a trend at least as strong.
func TestTrendIsExact(t *testing.T) {
	for n := range 8 {
		counts, all := map[int]int{}, 0
		first := make([]float64, n)
		for i := range first {
			first[i] = float64(i)
		}
		orders(slices.Clone(first), func(x []float64) { counts[kendall(x)]++; all++ })
		orders(slices.Clone(first), func(x []float64) {
			s := kendall(x)
			want := 0
			for other, count := range counts {
				if max(other, -other) >= max(s, -s) {
					want += count
				}
			}
			tau, p := stats.Trend(x)
			if math.Abs(p-float64(want)/float64(all)) > 1e-12 {
				t.Fatalf("%v: p %v, want %d of %d", x, p, want, all)
			}
			if n > 1 && math.Abs(tau-float64(2*s)/float64(n*(n-1))) > 1e-12 {
				t.Fatalf("%v: tau %v with S %d", x, tau, s)
			}
		})
	}
}

// Only the order of the values matters, and reversing it reverses the trend.
func TestTrendProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Map(rapid.IntRange(-20, 20), func(i int) float64 { return float64(i) }), 0, 30).Draw(t, "x")
		tau, p := stats.Trend(x)
		if tau < -1 || tau > 1 || p < 0 || p > 1 {
			t.Fatalf("tau %v, p %v", tau, p)
		}
		y := make([]float64, len(x))
		for i, v := range x {
			y[len(x)-1-i] = v * v * v
		}
		if back, same := stats.Trend(y); back != -tau || same != p {
			t.Errorf("tau %v, p %v; reversed and cubed %v, %v", tau, p, back, same)
		}
	})
}
