// Package capacity says what a pipeline can do: what a limit could give at best
// ([Ideal]), the highest rate of reports that a service sustains ([Search]), by
// what it is judged ([Judge]), and what gives out first ([Blamed]); what a
// closed loop does at each of many limits ([LimitPoint]), the law that this
// follows ([FitUSL]), and which limit to take ([Recommendation]).
package capacity

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"floodgate/scenarios"
)

// Ideal returns the makespan that the variant would have if nothing but the
// injected latencies took time: batches holds the upstream's delays, in input
// order without duplicates, of batches that run one after another; write is
// what the database adds to one write.
//
// Fetches are scheduled greedily in input order over the limit's slots (list
// scheduling: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies",
// SIAM J. Appl. Math. 17(2), 1969), as every strategy of ours does. It is 0 for no items.
func Ideal(v scenarios.Variant, batches [][]time.Duration, write time.Duration) time.Duration {
	var total time.Duration
	for _, batch := range batches {
		total += idealBatch(v, batch, write)
	}
	return total
}

func idealBatch(v scenarios.Variant, delays []time.Duration, write time.Duration) time.Duration {
	switch v.Strategy {
	case "sequential":
		return last(schedule(nil, add(delays, write), 1))
	case "unbounded":
		return last(schedule(nil, add(delays, write), len(delays)))
	case "bounded":
		return last(schedule(nil, add(delays, write), v.Limit))
	case "joined":
		return last(schedule(nil, delays, v.Limit)) + time.Duration(len(delays))*write
	case "staged":
		fetched := schedule(nil, delays, v.Limit)
		return last(schedule(fetched, add(make([]time.Duration, len(delays)), write), v.Writers))
	case "batched": // the last value waits for one bulk write at least
		return last(schedule(nil, delays, v.Limit)) + write
	}
	return 0
}

// schedule runs jobs on slots, each on the first slot that is free, in order of
// their release (nil: all at 0), and returns when each ends, in that order.
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
