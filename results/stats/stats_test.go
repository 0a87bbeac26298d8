package stats_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"floodgate/results/stats"
)

func TestMedianAndMean(t *testing.T) {
	for _, test := range []struct {
		x            []float64
		median, mean float64
	}{
		{nil, math.NaN(), math.NaN()},
		{[]float64{4}, 4, 4},
		{[]float64{8, 2}, 5, 4},
		{[]float64{1, 100, 10}, 10, 10},
		{[]float64{1, 0}, 0.5, math.NaN()},
		{[]float64{math.MaxFloat64, math.MaxFloat64}, math.MaxFloat64, math.NaN()},
	} {
		if got := stats.Median(test.x); got != test.median && !(math.IsNaN(got) && math.IsNaN(test.median)) {
			t.Errorf("median of %v: %v", test.x, got)
		}
		if got := stats.GeometricMean(test.x); !math.IsNaN(test.mean) && math.Abs(got-test.mean) > 1e-12 || math.IsNaN(test.mean) && len(test.x) < 2 && !math.IsNaN(got) {
			t.Errorf("geometric mean of %v: %v", test.x, got)
		}
	}
}

func TestLogRatios(t *testing.T) {
	got, err := stats.LogRatios([]float64{2, 1}, []float64{1, 4})
	if diff := cmp.Diff([]float64{math.Ln2, -2 * math.Ln2}, got, near); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, bad := range [][2][]float64{{{1}, {}}, {{0}, {1}}, {{1}, {0}}, {{math.NaN()}, {1}}, {{-1}, {-1}}} {
		if _, err := stats.LogRatios(bad[0], bad[1]); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

func TestBootstrapIsSeeded(t *testing.T) {
	a, err := stats.Bootstrap(depression(), 0.95, 1)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := stats.Bootstrap(depression(), 0.95, 1)
	c, _ := stats.Bootstrap(depression(), 0.95, 2)
	if a != b || a == c {
		t.Errorf("seed 1: %+v and %+v, seed 2: %+v", a, b, c)
	}
}

// Resampled medians stay within the range of the values, and the estimate is the exact
// one.
func TestBootstrapBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SliceOfN(rapid.Float64Range(-5, 5), 1, 12).Draw(t, "d")
		before := slices.Clone(d)
		got, err := stats.Bootstrap(d, 0.95, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got.Low < slices.Min(d) || got.High > slices.Max(d) || got.Low > got.High || got.Estimate != stats.HodgesLehmann(d) {
			t.Fatalf("%+v of %v", got, d)
		}
		if !slices.Equal(d, before) {
			t.Fatal("it changed its argument")
		}
	})
}

// Half of the smallest number is not exact.
func TestAverageOfTheLeastNumbers(t *testing.T) {
	for _, d := range [][]float64{{2.225073858507202e-308}, {5e-324}, {5e-324, 5e-324, 1}, {-5e-324, 5e-324}, {math.MaxFloat64, math.MaxFloat64}} {
		got, err := stats.Bootstrap(d, 0.95, 1)
		if err != nil || got.Low < slices.Min(d) || got.High > slices.Max(d) || stats.Median(d) < slices.Min(d) || stats.Median(d) > slices.Max(d) {
			t.Errorf("%+v, median %v of %v, %v", got, stats.Median(d), d, err)
		}
	}
}

func TestDisagree(t *testing.T) {
	p, err := stats.Compare([]float64{-1, 1.1, 1.2, 1.3, 1.4, 1.5}, 0.95, 1)
	if err != nil {
		t.Fatal(err)
	}
	if p.Exact.Side(0) != 0 || p.Exact.Side(-2) != 1 || p.Exact.Side(2) != -1 {
		t.Errorf("sides of %+v", p.Exact)
	}
	if p.Disagree(-2) || p.Disagree(2) {
		t.Error("they disagree about limits far away")
	}
	between := (p.Exact.Low + p.Bootstrap.Low) / 2
	if p.Exact.Low >= p.Bootstrap.Low || !p.Disagree(between) {
		t.Errorf("they agree about %v: %+v", between, p)
	}
	if r := p.Exp(); r.Exact.Low != math.Exp(p.Exact.Low) || r.Bootstrap.High != math.Exp(p.Bootstrap.High) {
		t.Errorf("%+v", r)
	}
}

func BenchmarkCompare(b *testing.B) {
	for b.Loop() {
		if _, err := stats.Compare(depression(), 0.95, 1); err != nil {
			b.Fatal(err)
		}
	}
}
