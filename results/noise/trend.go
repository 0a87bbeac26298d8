package noise

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// permutations of a test for autocorrelation: the smallest p that it can give
// is 1/5000.
const permutations = 4999

// minimalOrder is how many values a test for autocorrelation takes. With fewer
// even neighbours as alike as those of an AR(1) process with 0.9 are hardly ever
// seen at the levels in use.
const minimalOrder = 10

// trend is Kendall's tau of x against its order, and the two-sided exact
// p-value that there is none (H. B. Mann, Nonparametric Tests against Trend,
// Econometrica 13, 1945). Equal values count as neither rising nor falling,
// which makes it conservative.
func trend(x []float64) (tau, p float64) {
	n := len(x)
	pairs := n * (n - 1) / 2
	if pairs == 0 {
		return 0, 1
	}
	s := 0
	for i := range x {
		for j := i + 1; j < n; j++ {
			s += cmp.Compare(x[j], x[i])
		}
	}
	// S = pairs - 2 inversions, and as likely as -S.
	tail, below := 0.0, (pairs-max(s, -s))/2
	for _, share := range inversions(n)[:below+1] {
		tail += share
	}
	return float64(s) / float64(pairs), min(1, 2*tail)
}

// inversions gives the share of the orders of n values that have k inversions,
// k = 0 … n(n-1)/2: the i-th value adds 0 to i-1 of them, each as likely.
func inversions(n int) []float64 {
	p := make([]float64, n*(n-1)/2+1)
	p[0] = 1
	for i := 2; i <= n; i++ {
		before, sum := slices.Clone(p), 0.0
		for k := range i*(i-1)/2 + 1 {
			sum += before[k]
			if k >= i {
				sum -= before[k-i]
			}
			p[k] = max(0, sum) / float64(i)
		}
	}
	return p
}

// slope is the median of the slopes between all pairs of values, a step (P. K.
// Sen, Estimates of the Regression Coefficient Based on Kendall's Tau, JASA 63,
// 1968).
func slope(x []float64) float64 {
	var all []float64
	for i := range x {
		for j := i + 1; j < len(x); j++ {
			all = append(all, (x[j]-x[i])/float64(j-i))
		}
	}
	slices.Sort(all)
	if len(all) == 0 {
		return 0
	}
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// follows reports whether neighbours in x are more alike than chance makes them
// at this level, and gives the autocorrelation of the ranks at lag 1: of so many
// permutations at most that share may have one as high. Neighbours that differ
// more than by chance make intervals too wide, which is harmless.
func follows(x []float64, level float64, seed uint64) (r float64, alike bool) {
	ranks := centredRanks(x)
	square := 0.0
	for _, v := range ranks {
		square += v * v
	}
	allowed := int(level*(permutations+1)) - 1 // as high by chance, besides x itself
	if square == 0 {
		return 0, false
	}
	found := neighbours(ranks)
	r = found / square
	if len(x) < minimalOrder || allowed < 0 {
		return r, false
	}
	rng := rand.New(rand.NewPCG(seed, 0x6c61672d31))
	shuffled, high := slices.Clone(ranks), 0
	for range permutations {
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if neighbours(shuffled) >= found-1e-9*square {
			if high++; high > allowed {
				return r, false
			}
		}
	}
	return r, true
}

// neighbours is the sum of the products of neighbours.
func neighbours(x []float64) (sum float64) {
	for i := 1; i < len(x); i++ {
		sum += x[i-1] * x[i]
	}
	return sum
}

// centredRanks are the ranks of x, equal values sharing theirs, less their mean.
func centredRanks(x []float64) []float64 {
	ranks := make([]float64, len(x))
	for i, v := range x {
		for _, o := range x {
			ranks[i] += float64(cmp.Compare(v, o)) / 2
		}
	}
	return ranks
}

// change writes a difference of logarithms as a share: 1.18 times is 0.18.
func change(log float64) float64 { return math.Expm1(log) }
