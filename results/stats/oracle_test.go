package stats_test

import (
	"math"
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"floodgate/results/stats"
)

// closed is Holm's adjustment as a closed test: a hypothesis is rejected if Bonferroni
// rejects every family that contains it, so its p-value is the largest of theirs.
func closed(p []float64) []float64 {
	adjusted := make([]float64, len(p))
	for family := 1; family < 1<<len(p); family++ {
		least := math.Inf(1)
		for i := range p {
			if family>>i&1 == 1 {
				least = math.Min(least, p[i])
			}
		}
		least = math.Min(1, least*float64(bits.OnesCount(uint(family))))
		for i := range p {
			if family>>i&1 == 1 {
				adjusted[i] = math.Max(adjusted[i], least)
			}
		}
	}
	return adjusted
}

func sameHolm(t rapid.TB, p []float64) {
	got, err := stats.Holm(p)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range closed(p) {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("%v of %v: %v, over all families %v", p[i], p, got[i], want)
		}
	}
}

func TestHolmIsTheClosedTest(t *testing.T) {
	sameHolm(t, []float64{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1})
	sameHolm(t, []float64{0.01, 0.04, 0.03, 0.005})
	rapid.Check(t, func(t *rapid.T) {
		sameHolm(t, rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(0, 1), rapid.SampledFrom([]float64{0, 0.01, 0.02, 0.04, 1})), 0, 9).Draw(t, "p"))
	})
}

// The rank and the confidence of the signed-rank interval agree with the sums of all 2^n
// sets of ranks.
func TestCriticalRanksAgainstAllSets(t *testing.T) {
	for _, n := range []int{6, 7, 8, 9, 10, 12, 20} {
		counts, sums := make([]int, n*(n+1)/2+1), make([]int16, 1<<n)
		for set := range sums {
			if set > 0 {
				sums[set] = sums[set&(set-1)] + int16(bits.TrailingZeros(uint(set))) + 1
			}
			counts[sums[set]]++
		}
		d := make([]float64, n)
		for i := range d {
			d[i] = math.Pow(2, float64(i)) // all averages differ
		}
		var averages []float64
		for i := range d {
			for j := range i + 1 {
				averages = append(averages, (d[i]+d[j])/2)
			}
		}
		slices.Sort(averages)
		for _, level := range []float64{0.9, 0.95, 0.9875, 0.99} {
			rank, below := 0, 0
			for float64(below+counts[rank])/float64(int(1)<<n) <= (1-level)/2 {
				below += counts[rank]
				rank++
			}
			got, err := stats.SignedRank(d, level)
			if rank == 0 {
				if err == nil {
					t.Errorf("n %d at %v: %+v", n, level, got)
				}
				continue
			}
			if want := 1 - 2*float64(below)/float64(int(1)<<n); err != nil || got.Low != averages[rank-1] || math.Abs(got.Achieved-want) > 1e-12 {
				t.Errorf("n %d at %v: %+v, %v; want rank %d, %v", n, level, got, err, rank, want)
			}
		}
	}
}

// The published rank-sum example agrees with all 3,003 ways to draw 5 of 15 ranks.
func TestRankSumPublishedByCounting(t *testing.T) {
	x := []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}
	y := []float64{1.15, 0.88, 0.90, 0.74, 1.21}
	counts, all := make([]int, 51), 0
	for set := range uint(1 << 15) {
		if bits.OnesCount(set) != 5 {
			continue
		}
		u := 0
		for bit := range 15 {
			if set>>bit&1 == 1 {
				u += bits.OnesCount(^set & (1<<bit - 1))
			}
		}
		counts[u]++
		all++
	}
	k, below := 0, 0
	for float64(below+counts[k])/float64(all) <= 0.025 {
		below += counts[k]
		k++
	}
	var d []float64
	for _, a := range y {
		for _, b := range x {
			d = append(d, b-a)
		}
	}
	slices.Sort(d)
	got, err := stats.RankSum(y, x, 0.95)
	if err != nil || all != 3003 || got.Low != d[k-1] || got.High != d[50-k] || math.Abs(got.Achieved-(1-2*float64(below)/3003)) > 1e-12 || math.Abs(got.Estimate-(d[24]+d[25])/2) > 1e-12 {
		t.Errorf("%+v, %v; want the %d-th difference, %v", got, err, k, d[k-1])
	}
}
