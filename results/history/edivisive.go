package history

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Options configures [EDivisive].
type Options struct {
	// MinSize is the minimum number of values in a segment, at least 2; zero means 3.
	MinSize int
	// Permutations is the number of permutations of each test; zero means 499.
	Permutations int
	// Level is the probability of finding a change point if there is none; zero
	// means 0.01.
	Level float64
	// Seed drives the permutations: the same seed gives the same result.
	Seed uint64
}

func (o Options) withDefaults() Options {
	if o.MinSize == 0 {
		o.MinSize = 3
	}
	if o.Permutations == 0 {
		o.Permutations = 499
	}
	if o.Level == 0 {
		o.Level = 0.01
	}
	o.MinSize = max(o.MinSize, 2)
	return o
}

// ChangePoint is a change of the distribution of a sequence.
type ChangePoint struct {
	// At is the index of the first value after the change.
	At int
	// P is the p-value of the permutation test.
	P float64
}

// EDivisive returns the change points of x in ascending order, without assuming
// any distribution: it splits where the energy distance of both sides is largest,
// tests the split by permutations within the segments found so far, and stops
// when a split is not significant (D. S. Matteson, N. A. James, A Nonparametric
// Approach for Multiple Change Point Analysis of Multivariate Data, JASA 109,
// 2014, with exponent 1). It finds none if a value is not finite.
func EDivisive(x []float64, o Options) []ChangePoint {
	o = o.withDefaults()
	if slices.ContainsFunc(x, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
		return nil
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0x652d646976))
	var found []ChangePoint
	for {
		segments := split(x, found)
		q, at := best(segments, o.MinSize)
		if !(q > 0) {
			return found
		}
		p, significant := o.test(segments, q, rng)
		if !significant {
			return found
		}
		found = append(found, ChangePoint{At: at, P: p})
		slices.SortFunc(found, func(a, b ChangePoint) int { return a.At - b.At })
	}
}

// Needed returns the smallest number of values that can show a change: the
// permutations that separate the two halves completely, in either order, must be
// rare enough.
func (o Options) Needed() int {
	o = o.withDefaults()
	n, half := 2*o.MinSize, o.MinSize
	for orders := binomial(n, half); 2/orders > o.Level; orders = binomial(n, half) {
		n++
		half = n / 2
	}
	return n
}

func binomial(n, k int) float64 {
	c := 1.0
	for i := range k {
		c = c * float64(n-i) / float64(i+1)
	}
	return math.Round(c)
}

// split cuts x at the change points.
func split(x []float64, at []ChangePoint) [][]float64 {
	var segments [][]float64
	from := 0
	for _, c := range at {
		segments, from = append(segments, x[from:c.At]), c.At
	}
	return append(segments, x[from:])
}

// test returns the p-value of the best split with statistic q. It stops early,
// with a p-value of 1, once the split cannot be significant.
func (o Options) test(segments [][]float64, q float64, rng *rand.Rand) (p float64, significant bool) {
	shuffled := make([][]float64, len(segments))
	for i, s := range segments {
		shuffled[i] = slices.Clone(s)
	}
	allowed := int(o.Level*float64(o.Permutations+1)+1e-9) - 1 // besides the original order
	high := 0
	for range o.Permutations {
		for _, s := range shuffled {
			rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
		}
		if other, _ := best(shuffled, o.MinSize); other >= q*(1-1e-9) {
			if high++; high > allowed {
				return 1, false
			}
		}
	}
	return float64(high+1) / float64(o.Permutations+1), high <= allowed
}

// best returns the largest statistic of any segment, and the index of its split
// in the whole sequence.
func best(segments [][]float64, minSize int) (q float64, at int) {
	from := 0
	for _, s := range segments {
		if v, i := bestSplit(s, minSize); v > q {
			q, at = v, from+i
		}
		from += len(s)
	}
	return q, at
}

// bestSplit returns the largest Q = nm/(n+m) E of any n values z[:t] and the m
// following values z[t:k], with E = 2 mean|x-y| - mean|x-x'| - mean|y-y'|, and its
// t. It tries every end k, since a later change might hide an earlier one.
func bestSplit(z []float64, minSize int) (q float64, at int) {
	row := make([]float64, len(z))      // row[t]: sum of |z[t]-z[j]|, t < j < k
	first := make([]float64, len(z)+1)  // first[t]: sum of all pairs of z[:t]
	within := make([]float64, len(z)+1) // within[t]: sum of all pairs of z[t:k]
	pairs := make([]float64, len(z)+1)  // pairs[n]: 1/(n(n-1)), as a division takes most of the time
	share := make([]float64, len(z)+1)  // share[k]: 2/k
	for n := 1; n <= len(z); n++ {
		pairs[n], share[n] = 1/(float64(n)*float64(n-1)), 2/float64(n)
	}
	for k := 1; k <= len(z); k++ {
		last := z[k-1]
		sum := 0.0
		for t := k - 1; t >= 0; t-- {
			row[t] += math.Abs(z[t] - last)
			sum += row[t]
			within[t] = sum
		}
		first[k] = sum
		for t := minSize; t <= k-minSize; t++ {
			n, m := float64(t), float64(k-t)
			between := first[k] - first[t] - within[t]
			v := between - n*m*(first[t]*pairs[t]+within[t]*pairs[k-t])
			if v *= share[k]; v > q*(1+1e-12) {
				q, at = v, t
			}
		}
	}
	return q, at
}
