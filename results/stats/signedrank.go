package stats

import (
	"fmt"
	"math"
	"slices"
)

// SignedRank estimates the center of symmetry of d: the Hodges-Lehmann
// estimate (the median of the Walsh averages, HWC eq. 3.23) with the exact
// interval that inverts the Wilcoxon signed-rank test (Tukey; HWC eq. 3.29,
// Lehmann ch. 4.4). Ties make it conservative. Too few values for the level,
// such as five at 95 %, are a [TooFewError].
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

// HodgesLehmann returns the median of the Walsh averages of d, or NaN if d is empty.
func HodgesLehmann(d []float64) float64 {
	if len(d) == 0 {
		return math.NaN()
	}
	w := walsh(d, nil)
	slices.Sort(w)
	return middle(w)
}

// walsh appends the n(n+1)/2 averages of all pairs of values of d, including
// each value with itself.
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

// average returns the mean of a and b. It does not overflow, and lies between a
// and b even if their halves are subnormal and thus rounded.
func average(a, b float64) float64 {
	if a == b {
		return a
	}
	return min(max(a/2+b/2, min(a, b)), max(a, b))
}

// signedRankCritical returns the largest k with P(W ≤ k-1) ≤ (1-level)/2 under the
// null distribution of n values, and that probability. The interval reaches from
// the k-th smallest Walsh average to the k-th largest; 0 means that there is none.
func signedRankCritical(n int, level float64) (k int, tail float64) {
	var below float64
	for w, p := range signedRankNull(n) {
		if below+p > (1-level)/2*(1+1e-12) {
			return w, below
		}
		below += p
	}
	return 0, 0 // only at level 0
}

// signedRankNeed returns the smallest number of values that suffices for the
// level: the smallest n with 2/2^n ≤ 1-level.
func signedRankNeed(level float64) int {
	n := 1
	for rank := 0; rank == 0; n++ {
		rank, _ = signedRankCritical(n+1, level)
	}
	return n
}

// signedRankNull returns P(W = w), w = 0 … n(n+1)/2, for n values without ties:
// each rank is in the sum with probability one half (Lehmann ch. 3.2).
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

// Paired holds two intervals for the center of paired differences: Exact
// decides, and Bootstrap checks it.
type Paired struct {
	Exact     Interval `json:"exact"`
	Bootstrap Interval `json:"bootstrap"`
}

// Compare returns the signed-rank interval and the bootstrap interval of d.
// Its errors are those of [SignedRank] and [Bootstrap].
func Compare(d []float64, level float64, seed uint64) (Paired, error) {
	exact, err := SignedRank(d, level)
	if err != nil {
		return Paired{}, err
	}
	boot, err := Bootstrap(d, level, seed)
	return Paired{Exact: exact, Bootstrap: boot}, err
}

// Exp converts both intervals from logarithms to ratios.
func (p Paired) Exp() Paired {
	return Paired{Exact: p.Exact.Exp(), Bootstrap: p.Bootstrap.Exp()}
}

// Disagree reports whether the two intervals lead to different decisions about
// limit. Then the data barely suffice, or are not symmetric.
func (p Paired) Disagree(limit float64) bool {
	return p.Exact.Side(limit) != p.Bootstrap.Side(limit)
}
