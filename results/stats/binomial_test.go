package stats_test

import (
	"math"
	"math/big"
	"testing"

	"floodgate/results/stats"
)

// tail returns P(B ≥ k) for n tries with probability p, summed with whole binomial
// coefficients and 200 bits.
func tail(n, k int, p float64) float64 {
	power := func(x *big.Float, n int) *big.Float {
		y := new(big.Float).SetPrec(200).SetInt64(1)
		for range n {
			y.Mul(y, x)
		}
		return y
	}
	yes := new(big.Float).SetPrec(200).SetFloat64(p)
	no := new(big.Float).SetPrec(200).Sub(big.NewFloat(1), yes)
	sum := new(big.Float).SetPrec(200)
	for i := k; i <= n; i++ {
		term := new(big.Float).SetPrec(200).SetInt(new(big.Int).Binomial(int64(n), int64(i)))
		sum.Add(sum, term.Mul(term, power(yes, i)).Mul(term, power(no, n-i)))
	}
	v, _ := sum.Float64()
	return v
}

// At each end of the interval, the observed or a more extreme outcome has exactly the
// probability alpha/2.
func TestBinomialInvertsTheTails(t *testing.T) {
	for _, n := range []int{1, 2, 5, 30} {
		for _, level := range []float64{0.8, 0.95, 0.999} {
			for k := range n + 1 {
				got, err := stats.Binomial(k, n, level)
				if err != nil {
					t.Fatal(err)
				}
				alpha := (1 - level) / 2
				if k == 0 && got.Low != 0 || k > 0 && math.Abs(tail(n, k, got.Low)-alpha) > 1e-9 {
					t.Errorf("%d of %d at %v: low %v", k, n, level, got.Low)
				}
				if k == n && got.High != 1 || k < n && math.Abs(1-tail(n, k+1, got.High)-alpha) > 1e-9 {
					t.Errorf("%d of %d at %v: high %v", k, n, level, got.High)
				}
				if !(got.Low <= got.Estimate && got.Estimate <= got.High) || got.Estimate != float64(k)/float64(n) || got.N != n {
					t.Errorf("%d of %d at %v: %+v", k, n, level, got)
				}
			}
		}
	}
}

// Without failures, the end has a closed form: 1 - (alpha/2)^(1/n).
func TestBinomialOfNone(t *testing.T) {
	for _, n := range []int{1, 30, 500, 100000} {
		got, err := stats.Binomial(0, n, 0.95)
		if want := -math.Expm1(math.Log(0.025) / float64(n)); err != nil || math.Abs(got.High-want) > 1e-9*want {
			t.Errorf("0 of %d: %v, want %v, %v", n, got.High, want, err)
		}
		all, err := stats.Binomial(n, n, 0.95)
		if err != nil || math.Abs(all.Low-(1-got.High)) > 1e-9 {
			t.Errorf("%d of %d: %v, %v", n, n, all.Low, err)
		}
	}
}

// The coverage, computed over all outcomes, is at least the level for every probability.
func TestBinomialCovers(t *testing.T) {
	const n = 20
	for p := 0.01; p < 1; p += 0.03 {
		held := 0.0
		for k := range n + 1 {
			if i, err := stats.Binomial(k, n, 0.9); err != nil {
				t.Fatal(err)
			} else if i.Low <= p && p <= i.High {
				held += tail(n, k, p) - tail(n, k+1, p)
			}
		}
		if held < 0.9-1e-9 {
			t.Errorf("rate %v: covered with %v", p, held)
		}
	}
}

func TestBinomialRefuses(t *testing.T) {
	for _, bad := range []struct {
		k, n  int
		level float64
	}{{0, 0, 0.95}, {-1, 5, 0.95}, {6, 5, 0.95}, {0, -1, 0.95}, {1, 2, 0}, {1, 2, 1}, {1, 2, math.NaN()}} {
		if got, err := stats.Binomial(bad.k, bad.n, bad.level); err == nil {
			t.Errorf("%+v: %+v", bad, got)
		}
	}
}
