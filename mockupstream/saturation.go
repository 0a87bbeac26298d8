package mockupstream

import (
	"fmt"
	"math"
	"runtime/metrics"
	"strings"
	"time"
)

// How many answers it takes until lateness is judged by its median and its
// 99th percentile.
const (
	leastForMedian = 10
	leastForP99    = 100
)

const defaultLateBound = 2 * time.Millisecond

// bounds are the profile's late bounds, defaults filled in.
func (p *Profile) bounds() (median, p99 time.Duration) {
	median, p99 = time.Duration(p.LateBound), time.Duration(p.LateP99Bound)
	if median == 0 {
		median = defaultLateBound
	}
	if p99 == 0 {
		p99 = 10 * median
	}
	return median, p99
}

// judge sets Saturated and Reason. An answer without injected delay is never
// late by the mock's own reckoning, as a request that waits to be read has not
// arrived yet; the wait of goroutines for a CPU shows that case.
func (s *Stats) judge(p *Profile) {
	median, p99 := p.bounds()
	var reasons []string
	exceeds := func(count, least, value int64, bound time.Duration, format string) {
		if count >= least && value > int64(bound) {
			reasons = append(reasons, fmt.Sprintf(format, time.Duration(value).Round(time.Microsecond), bound))
		}
	}
	n := s.Late.Count
	exceeds(n, leastForMedian, s.LateMedianNS, median, "the median answer left %v after its injected delay (bound: %v)")
	exceeds(n, leastForP99, s.LateP99NS, p99, "1%% of the answers left %v or more after their injected delay (bound: %v)")
	exceeds(n, leastForMedian, s.RunnableMedianNS, median, "half the time a goroutine waited %v or more for a CPU (bound: %v)")
	if len(reasons) > 0 {
		s.Saturated = true
		s.Reason = "the mock upstream or its machine is too slow: " + strings.Join(reasons, "; ")
	}
}

// runnable reads how long goroutines have waited for a CPU since the process
// began; since is what it read earlier, to be subtracted.
func runnable(since []uint64) (counts []uint64, median, p99 time.Duration) {
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return nil, 0, 0
	}
	h := sample[0].Value.Float64Histogram()
	counts = make([]uint64, len(h.Counts))
	copy(counts, h.Counts)
	total := uint64(0)
	for i := range h.Counts {
		if i < len(since) {
			h.Counts[i] -= since[i]
		}
		total += h.Counts[i]
	}
	return counts, quantile(h, total, 0.50), quantile(h, total, 0.99)
}

// quantile is the lower end of the bucket in which the share q is reached.
func quantile(h *metrics.Float64Histogram, total uint64, q float64) time.Duration {
	rank, seen := uint64(math.Ceil(q*float64(total))), uint64(0)
	for i, n := range h.Counts {
		if seen += n; seen >= rank && n > 0 {
			return time.Duration(max(h.Buckets[i], 0) * float64(time.Second))
		}
	}
	return 0
}
