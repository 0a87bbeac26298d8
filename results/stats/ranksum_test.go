package stats_test

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"floodgate/results/stats"
)

// Permeability constants of the human chorioamnion at term and at 12 to 26
// weeks (HWC, table 4.1; R's documentation of wilcox.test has the same data):
// the Hodges-Lehmann estimate of the shift is 0.305.
func TestRankSumPublished(t *testing.T) {
	x := []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}
	y := []float64{1.15, 0.88, 0.90, 0.74, 1.21}
	i, err := stats.RankSum(y, x, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	// wilcox.test(x, y, conf.int = TRUE, exact = TRUE): -0.15 to 0.76, exact at 96 %.
	for name, got := range map[string][2]float64{"estimate": {i.Estimate, 0.305}, "low": {i.Low, -0.15}, "high": {i.High, 0.76}} {
		if math.Abs(got[0]-got[1]) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, got[0], got[1])
		}
	}
}

// The null distribution agrees with the enumeration of all orders of the ranks.
func TestRankSumAgainstCounting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, n := rapid.IntRange(2, 6).Draw(t, "m"), rapid.IntRange(2, 6).Draw(t, "n")
		level := rapid.Float64Range(0.5, 0.99).Draw(t, "level")
		a, b := make([]float64, m), make([]float64, n)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for i := range a {
			a[i] = rng.Float64()
		}
		for i := range b {
			b[i] = rng.Float64()
		}
		// For all ways to draw m of m+n ranks: the number of those with each U.
		counts := make([]int, m*n+1)
		total := 0
		for set := range 1 << (m + n) {
			u, seen, picked := 0, 0, 0
			for bit := range m + n {
				if set>>bit&1 == 1 {
					picked++
					u += seen
				} else {
					seen++
				}
			}
			if picked == m {
				counts[u]++
				total++
			}
		}
		k, tail := 0, 0.0
		for sum := 0.0; k < len(counts); k++ {
			p := float64(counts[k]) / float64(total)
			if sum+p > (1-level)/2+1e-12 {
				tail = sum
				break
			}
			sum += p
		}
		i, err := stats.RankSum(a, b, level)
		var few *stats.TooFewError
		switch {
		case k == 0 && !errors.As(err, &few):
			t.Fatalf("%d and %d at %v: %+v, %v, want too few", m, n, level, i, err)
		case k == 0:
			return
		case err != nil:
			t.Fatal(err)
		}
		var d []float64
		for _, x := range a {
			for _, y := range b {
				d = append(d, y-x)
			}
		}
		slices.Sort(d)
		if i.Low != d[k-1] || i.High != d[len(d)-k] || math.Abs(i.Achieved-(1-2*tail)) > 1e-9 {
			t.Fatalf("%d and %d at %v: %+v, want [%v, %v] achieving %v", m, n, level, i, d[k-1], d[len(d)-k], 1-2*tail)
		}
	})
}

// The coverage of the interval is its level, both exact and approximated.
func TestRankSumCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, size := range []struct {
		m, n, tries int
		draw        func() float64
	}{
		{6, 6, 3000, rng.ExpFloat64}, {8, 12, 3000, rng.ExpFloat64}, {110, 110, 100, rng.ExpFloat64},
		{8, 12, 3000, rng.NormFloat64},
		{8, 12, 3000, func() float64 { return rng.NormFloat64() / rng.NormFloat64() }}, // heavy tails
	} {
		const shift = 0.3
		held := 0
		for range size.tries {
			a, b := make([]float64, size.m), make([]float64, size.n)
			for i := range a {
				a[i] = size.draw()
			}
			for i := range b {
				b[i] = shift + size.draw()
			}
			i, err := stats.RankSum(a, b, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			if i.Low <= shift && shift <= i.High {
				held++
			}
		}
		got := float64(held) / float64(size.tries)
		if low := 0.95 - 4*math.Sqrt(0.95*0.05/float64(size.tries)); got < low || got > 0.995 {
			t.Errorf("%d and %d values: coverage %v, want about 0.95", size.m, size.n, got)
		}
	}
}

func TestRankSumRefuses(t *testing.T) {
	five := []float64{1, 2, 3, 4, 5}
	for name, x := range map[string][]float64{"none": nil, "not a number": {1, math.NaN()}} {
		if _, err := stats.RankSum(x, five, 0.95); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	var few *stats.TooFewError
	if _, err := stats.RankSum(five[:3], five[:3], 0.95); !errors.As(err, &few) || few.N != 3 || few.Need != 4 {
		t.Errorf("three and three values: %v, want that 4 are needed", err)
	}
}

// The largest null distribution agrees with whole numbers.
func TestRankSumNullIsExact(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {3, 7}, {20, 30}, {100, 100}} {
		m, n := size[0], size[1]
		counts := make([]*big.Int, m*n+1)
		for u := range counts {
			counts[u] = new(big.Int)
		}
		counts[0].SetInt64(1)
		total := big.NewInt(1)
		for i := 1; i <= m; i++ {
			for u := len(counts) - 1; u >= n+i; u-- {
				counts[u].Sub(counts[u], counts[u-n-i])
			}
			for u := i; u < len(counts); u++ {
				counts[u].Add(counts[u], counts[u-i])
			}
			total.Div(total.Mul(total, big.NewInt(int64(n+i))), big.NewInt(int64(i)))
		}
		below, got := new(big.Int), 0.0
		for u, p := range stats.RankSumNull(m, n) {
			got += p
			want, _ := new(big.Rat).SetFrac(below.Add(below, counts[u]), total).Float64()
			if math.Abs(got-want) > 1e-9*want {
				t.Fatalf("%d and %d: P(U ≤ %d) is %v, want %v", m, n, u, got, want)
			}
		}
	}
}

// Beyond the exact range, the approximation gives the same end or one nearby: the
// standard deviation of U is 409 there.
func TestRankSumApproximation(t *testing.T) {
	for _, level := range []float64{0.5, 0.9, 0.95, 0.99} {
		exact, _ := stats.RankSumCritical(100, 100, level)
		if got := stats.RankSumApproximate(100, 100, level); got < exact-4 || got > exact+1 {
			t.Errorf("at %v: %d, counted %d", level, got, exact)
		}
	}
}

// Swapped samples have the opposite shift, with ties and whole shifts as well.
func TestRankSumIsSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Map(rapid.IntRange(-5, 5), func(i int) float64 { return float64(i) }), 4, 12)
		a, b := values.Draw(t, "a"), values.Draw(t, "b")
		i, err := stats.RankSum(a, b, 0.9)
		if err != nil {
			t.Fatal(err)
		}
		j, err := stats.RankSum(b, a, 0.9)
		if err != nil {
			t.Fatal(err)
		}
		if i.Estimate != -j.Estimate || i.Low != -j.High || i.High != -j.Low || i.Low > i.Estimate || i.Estimate > i.High {
			t.Fatalf("%+v and, swapped, %+v", i, j)
		}
	})
}
