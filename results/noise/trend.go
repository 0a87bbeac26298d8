package noise

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// permutations is the number of permutations in a test for autocorrelation; its
// smallest p-value is 1/5000.
const permutations = 4999

// minimalOrder is the smallest number of values that are tested for
// autocorrelation. With fewer, even an AR(1) process with coefficient 0.9 is
// hardly ever detected at the levels in use.
const minimalOrder = 10

// slope returns the median of the slopes between all pairs of values, per step
// (P. K. Sen, Estimates of the Regression Coefficient Based on Kendall's Tau,
// JASA 63, 1968).
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

// autocorrelation returns the autocorrelation of the ranks of x at lag 1, and
// reports whether it is significant at the level: at most that share of random
// permutations has one as high. The test is one-sided, as a negative
// autocorrelation makes intervals too wide, which is harmless.
func autocorrelation(x []float64, level float64, seed uint64) (r float64, significant bool) {
	ranks := centeredRanks(x)
	square := 0.0
	for _, v := range ranks {
		square += v * v
	}
	allowed := int(level*(permutations+1)) - 1 // as high by chance, besides x itself
	if square == 0 {
		return 0, false
	}
	observed := lagProduct(ranks)
	r = observed / square
	if len(x) < minimalOrder || allowed < 0 {
		return r, false
	}
	rng := rand.New(rand.NewPCG(seed, 0x6c61672d31))
	shuffled, high := slices.Clone(ranks), 0
	for range permutations {
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if lagProduct(shuffled) >= observed-1e-9*square {
			if high++; high > allowed {
				return r, false
			}
		}
	}
	return r, true
}

// lagProduct returns the sum of the products of successive values.
func lagProduct(x []float64) (sum float64) {
	for i := 1; i < len(x); i++ {
		sum += x[i-1] * x[i]
	}
	return sum
}

// centeredRanks returns the ranks of x minus their mean; ties get mean ranks.
func centeredRanks(x []float64) []float64 {
	ranks := make([]float64, len(x))
	for i, v := range x {
		for _, o := range x {
			ranks[i] += float64(cmp.Compare(v, o)) / 2
		}
	}
	return ranks
}

// change converts a difference of logarithms to a share: log 1.18 is 0.18.
func change(log float64) float64 { return math.Expm1(log) }
