package stats_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"floodgate/results/stats"
)

// The ranks of the ends are those of published tables (W. J. Dixon and F. J. Massey,
// table A-25, for 95 %).
func TestMedianIntervalPublished(t *testing.T) {
	for n, rank := range map[int]int{6: 1, 8: 1, 9: 2, 11: 2, 12: 3, 15: 4, 20: 6, 25: 8, 50: 18} {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(n - i)
		}
		got, err := stats.MedianInterval(x, 0.95)
		if err != nil || got.Low != float64(rank) || got.High != float64(n+1-rank) || got.Estimate != float64(n+1)/2 || got.N != n {
			t.Errorf("%d observations: %+v, %v; want the ranks %d and %d", n, got, err, rank, n+1-rank)
		}
	}
}

// The intervals contain the median of a skewed distribution as often as they say.
func TestMedianIntervalCovers(t *testing.T) {
	const runs = 4000
	rng := rand.New(rand.NewPCG(3, 3))
	for _, n := range []int{6, 9, 16} {
		covered, claimed := 0, 0.0
		for range runs {
			x := make([]float64, n)
			for i := range x {
				x[i] = math.Exp(rng.NormFloat64())
			}
			got, err := stats.MedianInterval(x, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			if got.Low <= 1 && 1 <= got.High {
				covered++
			}
			claimed = got.Achieved
			if got.Low > got.Estimate || got.High < got.Estimate || !slices.Contains(x, got.Low) || !slices.Contains(x, got.High) {
				t.Fatalf("%v: %+v", x, got)
			}
		}
		share := float64(covered) / runs
		if bound := 4 * math.Sqrt(claimed*(1-claimed)/runs); claimed < 0.95 || math.Abs(share-claimed) > bound {
			t.Errorf("%d observations: %.4f covered, %.4f claimed", n, share, claimed)
		}
	}
}

func TestMedianIntervalRefuses(t *testing.T) {
	few := new(stats.TooFewError)
	for n := range 6 {
		if got, err := stats.MedianInterval(make([]float64, n), 0.95); !errors.As(err, &few) || few.Need != 6 || few.N != n {
			t.Errorf("%d observations: %+v, %v", n, got, err)
		}
	}
	for _, level := range []float64{0, 1, math.NaN()} {
		if _, err := stats.MedianInterval(make([]float64, 9), level); err == nil {
			t.Errorf("level %v was accepted", level)
		}
	}
	if _, err := stats.MedianInterval([]float64{1, 2, 3, 4, 5, math.Inf(1)}, 0.95); err == nil {
		t.Error("an infinite observation was accepted")
	}
}
