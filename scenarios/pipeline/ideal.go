package pipeline

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// inSlots is the ideal makespan of items that hold one of n slots until their
// write is done.
func inSlots(delays []time.Duration, write time.Duration, n int) time.Duration {
	return last(schedule(nil, add(delays, write), n))
}

// schedule runs jobs on slots, each on the first slot that is free, in order of
// their release (nil: all at 0), and returns when each ends, in that order (list
// scheduling: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM J.
// Appl. Math. 17(2), 1969).
func schedule(release, jobs []time.Duration, slots int) []time.Duration {
	if len(jobs) == 0 {
		return nil
	}
	slices.Sort(release)
	free := make(times, max(1, min(slots, len(jobs))))
	ends := make([]time.Duration, len(jobs))
	for i, job := range jobs {
		start := free[0]
		if release != nil {
			start = max(start, release[i])
		}
		ends[i] = start + job
		free[0] = ends[i]
		heap.Fix(&free, 0)
	}
	return ends
}

func last(ends []time.Duration) time.Duration {
	if len(ends) == 0 {
		return 0
	}
	return slices.Max(ends)
}

func add(delays []time.Duration, write time.Duration) []time.Duration {
	sums := make([]time.Duration, len(delays))
	for i, d := range delays {
		sums[i] = d + write
	}
	return sums
}

// times is a min-heap.
type times []time.Duration

func (t times) Len() int           { return len(t) }
func (t times) Less(i, j int) bool { return cmp.Less(t[i], t[j]) }
func (t times) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *times) Push(x any)        { *t = append(*t, x.(time.Duration)) }
func (t *times) Pop() any          { panic("never shrinks") }
