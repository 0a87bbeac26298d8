package search

import (
	"math"
	"slices"

	"floodgate/results/capacity"
)

// limitSearch selects the next limits from the results so far. It doubles the limit until
// throughput is significantly lower than at another limit, or twice no better. Then it
// narrows down where limits start to violate constraints. Once the limits that may suffice
// are decided, it tries some around the recommended one.
type limitSearch struct {
	first, step, most int
	refine            bool
	only              []int // nil means that the search chooses
}

// flatSteps is the number of steps above the best limit after which the search ends,
// because throughput is flat.
const flatSteps = 2

// next returns the limits of the next round in order; nil means that the search has ended.
// A round repeats the best limit, so that new limits can be compared with it under the same
// conditions.
func (s *limitSearch) next(l *capacity.Limits) []int {
	switch {
	case len(l.Points) > 0 && s.only != nil:
		return nil
	case s.only != nil:
		return s.only
	case len(l.Points) == 0:
		return s.steps(1, s.first)
	}
	best := 0
	if l.Recommendation != nil {
		best = l.Recommendation.Peak
	}
	if highest := l.Points[len(l.Points)-1].Limit; s.rises(l, best, highest) {
		if more := s.steps(highest*s.step, highest*pow(s.step, flatSteps)); len(more) > 0 {
			return withBest(best, more)
		}
	}
	if low, high, ok := l.Gap(); ok && high > maxGap*low {
		return withBest(best, []int{int(math.Sqrt(float64(low) * float64(high)))})
	}
	return nil
}

// around returns the limits around the recommended one with the best one, once; nil means
// that there are none to try.
func (s *limitSearch) around(l *capacity.Limits) []int {
	if !s.refine || s.only != nil || l.Recommendation == nil {
		return nil
	}
	s.refine = false
	if more := neighbors(l); len(more) > 0 {
		return withBest(l.Recommendation.Peak, more)
	}
	return nil
}

// rises reports whether throughput may rise above the highest limit. If too many items
// fail at that limit, it does not; nor does that of an open loop in which a limit keeps up.
func (s *limitSearch) rises(l *capacity.Limits, best, highest int) bool {
	p := l.Limit(highest)
	if r := l.Recommendation; l.Rate > 0 && r != nil && r.Limit > 0 && !r.Compromise {
		return false
	}
	return best > 0 && p.Throughput != nil && p.ErrorShare() <= l.Terms.MaxErrors && !l.Recommendation.Passed && highest < best*pow(s.step, flatSteps)
}

// maxGap is the greatest ratio between the first limit that violates constraints and the
// one before it: the recommended limit may lie between them.
const maxGap = 2

// steps returns the limits between two limits, each Step times the previous one.
func (s *limitSearch) steps(from, to int) (all []int) {
	for n := from; n <= min(to, s.most); n *= s.step {
		all = append(all, n)
	}
	return all
}

func pow(x, n int) int {
	p := 1
	for range n {
		p *= x
	}
	return p
}

// withBest returns the limits together with the best one.
func withBest(best int, more []int) []int {
	if best > 0 && !slices.Contains(more, best) {
		more = append(more, best)
	}
	slices.Sort(more)
	return more
}

// neighbors returns the limits halfway, on a logarithmic scale, between the recommended
// one and its neighbors, without those that were tried.
func neighbors(l *capacity.Limits) (all []int) {
	at := slices.IndexFunc(l.Points, func(p capacity.LimitPoint) bool { return p.Limit == l.Recommendation.Limit })
	if at < 0 {
		return nil
	}
	for _, i := range []int{at - 1, at} {
		if i < 0 || i+1 >= len(l.Points) {
			continue
		}
		low, high := l.Points[i].Limit, l.Points[i+1].Limit
		if n := int(math.Round(math.Sqrt(float64(low) * float64(high)))); n > low && n < high {
			all = append(all, n)
		}
	}
	return all
}
