package search

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"floodgate/results/capacity"
	"floodgate/results/stats"
)

// found returns the exact results of a system at limits, eight times each. A negative
// throughput means that half of the items fail.
func found(at func(n float64) float64, limits []int) *capacity.Limits {
	l := &capacity.Limits{Kind: capacity.KindLimits, Strategy: "bounded", Terms: capacity.NewTerms(0, 1<<20, 0)}
	for _, n := range limits {
		x, failed := at(float64(n)), 0
		if x < 0 {
			x, failed = -x, 50
		}
		p := capacity.LimitPoint{
			Limit: n, Tried: 100, Failed: failed, Throughput: &stats.Interval{Estimate: x, Low: x, High: x}, P99: &stats.Interval{Estimate: 1, Low: 1, High: 1},
		}
		for block := range capacity.MinReachBlocks {
			p.Runs = append(p.Runs, capacity.LimitRun{Block: block, Throughput: x * (1 + float64(block)/1e6)})
		}
		l.Points = append(l.Points, p)
	}
	l.Conclude()
	return l
}

// rounds returns the rounds of a whole search.
func rounds(s limitSearch, at func(n float64) float64) (all [][]int) {
	var tried []int
	l := &capacity.Limits{}
	try := func(limits []int) {
		all = append(all, limits)
		tried = append(tried, limits...)
		slices.Sort(tried)
		tried = slices.Compact(tried)
		l = found(at, tried)
	}
	for limits := s.next(l); limits != nil; limits = s.next(l) {
		try(limits)
	}
	if limits := s.around(l); limits != nil {
		try(limits)
	}
	return all
}

func TestLimitSearch(t *testing.T) {
	law := func(u capacity.USL) func(float64) float64 { return u.At }
	for name, c := range map[string]struct {
		limitSearch
		at   func(float64) float64
		want [][]int
	}{
		"peak at 70, knee at 32 to 64": {limitSearch{16, 2, 512, true, nil}, law(capacity.USL{Gamma: 40, Alpha: 0.02, Beta: 2e-4}),
			[][]int{{1, 2, 4, 8, 16}, {16, 32, 64}, {64, 128, 256}, {45, 64, 91}}},
		"flat from 4 on":            {limitSearch{16, 2, 512, true, nil}, func(n float64) float64 { return min(n, 4) }, [][]int{{1, 2, 4, 8, 16}, {3, 4, 6}}},
		"rises to the end":          {limitSearch{16, 2, 100, true, nil}, func(n float64) float64 { return n }, [][]int{{1, 2, 4, 8, 16}, {16, 32, 64}, {45, 64}}},
		"falls at once":             {limitSearch{4, 2, 512, true, nil}, func(n float64) float64 { return 1 / n }, [][]int{{1, 2, 4}}},
		"quick, fails above 10":     {limitSearch{16, 4, 512, false, nil}, failsAbove(10), [][]int{{1, 4, 16}, {4, 8}}},
		"fails above 10":            {limitSearch{16, 2, 512, true, nil}, failsAbove(10), [][]int{{1, 2, 4, 8, 16}, {6, 8, 11}}},
		"quick, fails above 4":      {limitSearch{16, 16, 512, false, nil}, failsAbove(4), [][]int{{1, 16}, {1, 4}, {4, 8}}},
		"quick":                     {limitSearch{16, 4, 512, false, nil}, law(capacity.USL{Gamma: 40, Alpha: 0.02, Beta: 2e-4}), [][]int{{1, 4, 16}, {16, 64, 256}}},
		"no more than three":        {limitSearch{3, 2, 3, true, nil}, func(n float64) float64 { return n }, [][]int{{1, 2}}},
		"peak at the first's end 8": {limitSearch{8, 2, 64, false, nil}, func(n float64) float64 { return -math.Abs(n-8) + 100 }, [][]int{{1, 2, 4, 8}, {8, 16, 32}}},
	} {
		if got := rounds(c.limitSearch, c.at); !slices.EqualFunc(got, c.want, slices.Equal[[]int]) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func failsAbove(most float64) func(float64) float64 {
	return func(n float64) float64 {
		if n > most {
			return -n
		}
		return n
	}
}

// With any system, the search ends, tries no limit above the greatest, and repeats at most
// one limit in each round.
func TestSearchEnds(t *testing.T) {
	for seed := range uint64(12) { // each round fits a model: a property would take long
		rng := rand.New(rand.NewPCG(seed, 1))
		does := make([]float64, 1025)
		for i := range does {
			does[i] = 1 + 1000*rng.Float64()
		}
		s := limitSearch{first: 16, step: 2 + 2*rng.IntN(2), most: 1 + rng.IntN(1024), refine: rng.IntN(2) == 0}
		seen := map[int]bool{}
		all := rounds(s, func(n float64) float64 { return does[int(n)] })
		if len(all) > 8 {
			t.Fatalf("%d rounds", len(all))
		}
		for _, limits := range all {
			again := 0
			for _, n := range limits {
				if n < 1 || n > s.most {
					t.Fatalf("%d tried, at most %d", n, s.most)
				}
				if seen[n] {
					again++
				}
				seen[n] = true
			}
			if again > 1 {
				t.Fatalf("%v tried after %v", limits, all)
			}
		}
	}
}
