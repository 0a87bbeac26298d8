package stats_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results/stats"
)

// The fifteen comparisons of a trial of thrombolysis (Y. Benjamini, Y. Hochberg,
// Controlling the False Discovery Rate, J. R. Statist. Soc. B 57, 1995, section 4.1).
// According to the paper, at 0.05 both Bonferroni and Hochberg reject the first three;
// Holm is between them.
func TestHolmPublished(t *testing.T) {
	p := []float64{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1}
	got, err := stats.Holm(p)
	if err != nil {
		t.Fatal(err)
	}
	rejected := 0
	for _, v := range got {
		if v <= 0.05 {
			rejected++
		}
	}
	if rejected != 3 {
		t.Errorf("%d rejected, want 3: %v", rejected, got)
	}
	for i, want := range []float64{0.0015, 0.0056, 0.0247, 0.1140, 0.2211, 0.2780, 0.2780, 0.2780, 0.3213, 1} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("adjusted p of %v is %v, want %v", p[i], got[i], want)
		}
	}
}

// R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") is 0.03, 0.06, 0.06, 0.02.
func TestHolmKeepsTheOrder(t *testing.T) {
	p := []float64{0.01, 0.04, 0.03, 0.005}
	got, err := stats.Holm(p)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0.03, 0.06, 0.06, 0.02} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("adjusted p of %v is %v, want %v", p[i], got[i], want)
		}
	}
	if !slices.Equal(p, []float64{0.01, 0.04, 0.03, 0.005}) {
		t.Errorf("argument changed to %v", p)
	}
}

func TestHolmProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(0, 1), rapid.SampledFrom([]float64{0, 0.01, 0.05, 1})), 0, 20).Draw(t, "p")
		got, err := stats.Holm(p)
		if err != nil || len(got) != len(p) {
			t.Fatalf("%v, %v", got, err)
		}
		for i := range p {
			if !(got[i] >= p[i] && got[i] <= math.Min(1, float64(len(p))*p[i])) { // at most Bonferroni's adjustment
				t.Fatalf("p %v is adjusted to %v of %v", p[i], got[i], p)
			}
			for k := range p {
				if p[k] < p[i] && got[k] > got[i] || p[k] == p[i] && got[k] != got[i] {
					t.Fatalf("%v, %v are adjusted to %v, %v", p[k], p[i], got[k], got[i])
				}
			}
		}
		if len(p) > 0 { // the adjustment of the smallest is Bonferroni's
			if want := math.Min(1, float64(len(p))*slices.Min(p)); slices.Min(got) != want {
				t.Fatalf("smallest %v, want %v", slices.Min(got), want)
			}
		}
	})
}

func TestHolmRefuses(t *testing.T) {
	for _, v := range []float64{-0.1, 1.1, math.NaN(), math.Inf(1)} {
		if got, err := stats.Holm([]float64{0.5, v}); err == nil {
			t.Errorf("%v is adjusted to %v", v, got)
		}
	}
}

// MinimalRankSumP agrees with the enumerated distribution and with the table of
// benchmath.
func TestMinimalRankSumP(t *testing.T) {
	for n, want := range []float64{1: 1, 2: 1.0 / 3, 3: 0.1, 4: 2.0 / 70, 6: 2.0 / 924} {
		if got := stats.MinimalRankSumP(n, n); n > 0 && want > 0 && math.Abs(got-want) > 1e-15 {
			t.Errorf("of %d: %v, want %v", n, got, want)
		}
	}
	if got := stats.MinimalRankSumP(3, 5); math.Abs(got-2.0/56) > 1e-15 || got != stats.MinimalRankSumP(5, 3) {
		t.Errorf("of 3 and 5: %v", got)
	}
}
