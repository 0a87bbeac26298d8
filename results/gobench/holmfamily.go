package gobench

import (
	"math"
	"slices"
	"sort"

	"floodgate/results/stats"
)

// family determines which p-value a comparison would have needed among the others.
type family struct {
	alpha   float64
	p       []float64 // sorted
	highest []float64 // highest[i] is the largest adjusted p-value of p[:i]
}

func newFamily(p []float64, alpha float64) *family {
	f := &family{alpha: alpha, p: slices.Sorted(slices.Values(p)), highest: make([]float64, len(p)+1)}
	for k, v := range f.p {
		f.highest[k+1] = math.Max(f.highest[k], float64(len(p)-k)*v)
	}
	return f
}

// adjusted returns Holm's adjustment of q if it replaced a p-value not below it.
func (f *family) adjusted(q float64) float64 {
	before := sort.SearchFloat64s(f.p, q)
	return math.Max(f.highest[before], float64(len(f.p)-before)*q)
}

// need returns 0 if samples of m and n values without overlap would have been
// significant, and else the size of both samples from which on they would be.
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
