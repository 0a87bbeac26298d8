package stats_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"floodgate/results/stats"
)

var near = cmpopts.EquateApprox(0, 1e-9)

// depression scale factors of nine patients before and after (Hollander,
// Wolfe, Chicken, table 3.1).
func depression() []float64 {
	x := []float64{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30}
	y := []float64{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29}
	for i := range x {
		y[i] -= x[i]
	}
	return y
}

// The book gives the one-sided p = .020 (R: V = 40 for x - y, p = 0.01953), the estimate
// -.46, and (-.786, -.010) as the 96.1 % interval.
func TestPublishedExample(t *testing.T) {
	if p := bruteForce(depression()); math.Abs(p-2*0.01953125) > 1e-12 {
		t.Errorf("p = %v", p)
	}
	got, err := stats.SignedRank(depression(), 0.95)
	if err != nil {
		t.Fatal(err)
	}
	want := stats.Interval{Estimate: -0.46, Low: -0.786, High: -0.010, Level: 0.95, Achieved: 0.9609375, N: 9}
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Error(diff)
	}
}

// The rank of the Walsh averages that bound the interval, and its confidence, agree with
// the enumeration of all subsets of ranks in integers, and at 95 % with the tables of the
// signed-rank test (T = 0, 2, 3, 5, 8, 13, 52 for these n).
func TestCriticalRanks(t *testing.T) {
	for _, test := range []struct {
		n        int
		level    float64
		rank     int
		achieved float64
	}{
		{6, 0.90, 3, 0.90625}, {6, 0.95, 1, 0.96875},
		{7, 0.95, 3, 0.953125}, {8, 0.95, 4, 0.9609375}, {8, 0.99, 1, 0.9921875},
		{9, 0.95, 6, 0.9609375}, {10, 0.90, 11, 0.916015625}, {10, 0.95, 9, 0.951171875}, {10, 0.99, 4, 0.990234375},
		{12, 0.95, 14, 0.95751953125}, {20, 0.95, 53, 0.9515590667724609}, {20, 0.99, 38, 0.9905643463134766},
	} {
		d := make([]float64, test.n)
		for i := range d {
			d[i] = math.Pow(2, float64(i)) // all Walsh averages differ
		}
		var walsh []float64
		for i := range d {
			for j := range i + 1 {
				walsh = append(walsh, (d[i]+d[j])/2)
			}
		}
		slices.Sort(walsh)
		got, err := stats.SignedRank(d, test.level)
		if err != nil {
			t.Fatal(err)
		}
		if got.Low != walsh[test.rank-1] || got.High != walsh[len(walsh)-test.rank] || math.Abs(got.Achieved-test.achieved) > 1e-12 {
			t.Errorf("n %d at %v: [%v, %v] with %v; want rank %d, %v", test.n, test.level, got.Low, got.High, got.Achieved, test.rank, test.achieved)
		}
	}
}

// bruteForce returns the two-sided p-value over all 2^n signs.
func bruteForce(d []float64) float64 {
	var sizes, ranks []float64
	for _, v := range d {
		if v != 0 {
			sizes = append(sizes, math.Abs(v))
		}
	}
	for _, a := range sizes {
		below, same := 0, 0
		for _, b := range sizes {
			if b < a {
				below++
			} else if b == a {
				same++
			}
		}
		ranks = append(ranks, float64(below)+float64(same+1)/2)
	}
	observed, i := 0.0, 0
	for _, v := range d {
		if v > 0 {
			observed += ranks[i]
		}
		if v != 0 {
			i++
		}
	}
	low, high := 0, 0
	for signs := range 1 << len(ranks) {
		w := 0.0
		for k, r := range ranks {
			if signs>>k&1 == 1 {
				w += r
			}
		}
		if w <= observed {
			low++
		}
		if w >= observed {
			high++
		}
	}
	return min(1, 2*float64(min(low, high))/float64(int(1)<<len(ranks)))
}

// The interval contains exactly the centers that the test does not reject.
func TestIntervalInvertsTheTest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SliceOfNDistinct(rapid.Float64Range(-5, 5), 6, 12, rapid.ID).Draw(t, "d")
		level := rapid.SampledFrom([]float64{0.8, 0.9, 0.95}).Draw(t, "level")
		interval, err := stats.SignedRank(d, level)
		if err != nil {
			t.Fatal(err)
		}
		center := rapid.Float64Range(-6, 6).Draw(t, "center")
		shifted := make([]float64, len(d))
		for i := range d {
			shifted[i] = d[i] - center
			if math.Abs(shifted[i]) < 1e-9 {
				t.Skip("zero, which the test leaves out")
			}
			for j := range i {
				if math.Abs(math.Abs(shifted[i])-math.Abs(shifted[j])) < 1e-9 {
					t.Skip("tied")
				}
			}
		}
		p := bruteForce(shifted)
		if inside := interval.Low < center && center < interval.High; inside != (p > (1-level)*(1+1e-9)) {
			t.Fatalf("%v in [%v, %v]: %v, but p = %v", center, interval.Low, interval.High, inside, p)
		}
	})
}

func TestShiftScaleAndOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SliceOfN(rapid.Float64Range(-5, 5), 6, 15).Draw(t, "d")
		before := slices.Clone(d)
		a, err := stats.SignedRank(d, 0.95)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(d, before) {
			t.Fatal("it changed its argument")
		}
		moved := make([]float64, len(d))
		for i, p := range rapid.Permutation(d).Draw(t, "order") {
			moved[i] = 3 - 2*p
		}
		b, err := stats.SignedRank(moved, 0.95)
		if err != nil {
			t.Fatal(err)
		}
		want := a
		want.Estimate, want.Low, want.High = 3-2*a.Estimate, 3-2*a.High, 3-2*a.Low
		if diff := cmp.Diff(want, b, near); diff != "" {
			t.Fatal(diff)
		}
		if !(a.Low <= a.Estimate && a.Estimate <= a.High) || a.Achieved < a.Level {
			t.Fatalf("%+v", a)
		}
	})
}

func TestTooFew(t *testing.T) {
	for _, test := range []struct {
		n, need int
		level   float64
	}{{0, 6, 0.95}, {5, 6, 0.95}, {5, 8, 0.99}, {7, 8, 0.99}, {3, 5, 0.9}} {
		_, err := stats.SignedRank(make([]float64, test.n), test.level)
		few := new(stats.TooFewError)
		if !errors.As(err, &few) || few.Need != test.need || few.N != test.n {
			t.Errorf("%d at %v: got %v, want need of %d", test.n, test.level, err, test.need)
		}
		if _, err := stats.SignedRank(make([]float64, test.need), test.level); err != nil {
			t.Errorf("%d at %v: %v", test.need, test.level, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		d := []float64{1, 2, 3, 4, 5, 6, bad}
		if _, err := stats.SignedRank(d, 0.95); err == nil {
			t.Errorf("signed-rank of %v: no error", bad)
		}
		if _, err := stats.Bootstrap(d, 0.95, 1); err == nil {
			t.Errorf("bootstrap of %v: no error", bad)
		}
	}
	for _, level := range []float64{0, 1, -1, 95, math.NaN()} {
		if _, err := stats.SignedRank(depression(), level); err == nil {
			t.Errorf("level %v: no error", level)
		}
	}
	if _, err := stats.Bootstrap(nil, 0.95, 1); !errors.Is(err, stats.ErrNoData) {
		t.Errorf("bootstrap of nothing: %v", err)
	}
}
