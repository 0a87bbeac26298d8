package stats

import (
	"fmt"
	"math"
	"slices"
)

// SignedRank estimates the centre of symmetry of d: the Hodges-Lehmann
// estimate (the median of the Walsh averages, HWC eq. 3.23) with the exact
// interval that inverts the Wilcoxon signed-rank test (Tukey; HWC eq. 3.29,
// Lehmann ch. 4.4). Ties make it conservative. Fewer values than can reach the
// level, five at 95 %, are a [TooFewError].
func SignedRank(d []float64, level float64) (Interval, error) {
	if err := check(d, level); err != nil {
		return Interval{}, fmt.Errorf("signed-rank interval: %w", err)
	}
	n := len(d)
	rank, tail := signedRankCritical(n, level)
	if rank == 0 {
		return Interval{}, fmt.Errorf("signed-rank interval: %w", &TooFewError{N: n, Need: signedRankNeed(level), Level: level})
	}
	w := walsh(d, nil)
	slices.Sort(w)
	return Interval{
		Estimate: middle(w),
		Low:      w[rank-1],
		High:     w[len(w)-rank],
		Level:    level,
		Achieved: 1 - 2*tail,
		N:        n,
	}, nil
}

// HodgesLehmann returns the median of the Walsh averages of d; NaN for none.
func HodgesLehmann(d []float64) float64 {
	if len(d) == 0 {
		return math.NaN()
	}
	w := walsh(d, nil)
	slices.Sort(w)
	return middle(w)
}

// walsh appends the n(n+1)/2 averages of all pairs of d, each with itself too.
func walsh(d, to []float64) []float64 {
	for i := range d {
		for j := i; j < len(d); j++ {
			to = append(to, average(d[i], d[j]))
		}
	}
	return to
}

func middle(sorted []float64) float64 {
	n := len(sorted)
	return average(sorted[(n-1)/2], sorted[n/2])
}

// average does not overflow, and lies between a and b also where halves of
// them are too small to be exact.
func average(a, b float64) float64 {
	if a == b {
		return a
	}
	return min(max(a/2+b/2, min(a, b)), max(a, b))
}

// signedRankCritical returns the largest k with P(W ≤ k-1) ≤ (1-level)/2 under the
// null distribution of n values, and that probability. The interval is then
// from the k-th smallest Walsh average to the k-th largest; zero means there is none.
func signedRankCritical(n int, level float64) (k int, tail float64) {
	var below float64
	for w, p := range signedRankNull(n) {
		if below+p > (1-level)/2*(1+1e-12) {
			return w, below
		}
		below += p
	}
	return 0, 0 // level 0 alone
}

// signedRankNeed returns the least number of values that can reach the level: the
// one with 2/2^n at most 1-level.
func signedRankNeed(level float64) int {
	n := 1
	for rank := 0; rank == 0; n++ {
		rank, _ = signedRankCritical(n+1, level)
	}
	return n
}

// signedRankNull returns P(W = w), w = 0 … n(n+1)/2, for n values without ties:
// every rank counts or not with probability one half (Lehmann ch. 3.2).
func signedRankNull(n int) []float64 {
	p := make([]float64, n*(n+1)/2+1)
	p[0] = 1
	top := 0
	for rank := 1; rank <= n; rank++ {
		top += rank
		for w := top; w >= 0; w-- {
			p[w] /= 2
			if w >= rank {
				p[w] += p[w-rank] / 2
			}
		}
	}
	return p
}

// Paired is what paired differences say about their centre, twice: Exact
// decides, Bootstrap checks it.
type Paired struct {
	Exact     Interval `json:"exact"`
	Bootstrap Interval `json:"bootstrap"`
}

// Compare returns the signed-rank interval of d with a bootstrap, drawn from
// seed, beside it. Its errors are those of [SignedRank].
func Compare(d []float64, level float64, seed uint64) (Paired, error) {
	exact, err := SignedRank(d, level)
	if err != nil {
		return Paired{}, err
	}
	boot, err := Bootstrap(d, level, seed)
	return Paired{Exact: exact, Bootstrap: boot}, err
}

// Exp takes both intervals from logarithms to ratios.
func (p Paired) Exp() Paired {
	return Paired{Exact: p.Exact.Exp(), Bootstrap: p.Bootstrap.Exp()}
}

// Disagree reports whether the two intervals lead to different decisions about
// limit: the data then barely suffice, or are not symmetric.
func (p Paired) Disagree(limit float64) bool {
	return p.Exact.Side(limit) != p.Bootstrap.Side(limit)
}
