package gobench

import (
	"math"
	"slices"
	"sort"

	"floodgate/results/stats"
)

// family says what a comparison could have come to beside the others' p-values.
type family struct {
	alpha   float64
	p       []float64 // in order
	highest []float64 // the adjusted p of p[:i], 0 of none
}

func newFamily(p []float64, alpha float64) *family {
	f := &family{alpha: alpha, p: slices.Sorted(slices.Values(p)), highest: make([]float64, len(p)+1)}
	for k, v := range f.p {
		f.highest[k+1] = math.Max(f.highest[k], float64(len(p)-k)*v)
	}
	return f
}

// adjusted is what Holm would have made of q in the place of a p not below it.
func (f *family) adjusted(q float64) float64 {
	before := sort.SearchFloat64s(f.p, q)
	return math.Max(f.highest[before], float64(len(f.p)-before)*q)
}

// need is 0 where samples of m and n values, wholly apart, would have been
// significant; else the size of both from which they would.
func (f *family) need(p float64, m, n int) int {
	if f.adjusted(math.Min(p, stats.MinimalRankSumP(m, n))) <= f.alpha {
		return 0
	}
	for size := 2; ; size++ {
		if f.adjusted(math.Min(p, stats.MinimalRankSumP(size, size))) <= f.alpha {
			return size
		}
	}
}
