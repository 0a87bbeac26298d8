package mockupstream

import (
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Stats is what an Upstream has seen since its profile was set. Durations are
// integers of nanoseconds.
//
// The delay of an answer runs from the request's being handed over by net/http
// (read and parsed) to the answer's being handed back to it. What is injected
// is the drawn delay and the wait for a worker of the capacity model. Everything
// about an answer is counted before its first byte leaves, but that it is not in
// flight any more before its last one does.
type Stats struct {
	Seed uint64 `json:"seed"`
	// UptimeNS is the time since the profile was set.
	UptimeNS int64 `json:"uptime_ns"`
	// Phase is the number of phases of the profile that have begun.
	Phase int `json:"phase"`

	// Requests for items that were received; Keys of them were a key's first,
	// Repeated were not.
	Requests int64 `json:"requests"`
	Keys     int64 `json:"keys"`
	Repeated int64 `json:"repeated"`
	// InFlight requests are received and not done. They outlive a change of
	// profile, and PeakInFlight is of those that were received since.
	InFlight     int64 `json:"in_flight"`
	PeakInFlight int64 `json:"peak_in_flight"`
	// Connections that are open; Accepted since the profile was set. Known to a
	// server whose ConnState is the Upstream's, as that of Serve is.
	Connections     int64 `json:"connections"`
	PeakConnections int64 `json:"peak_connections"`
	Accepted        int64 `json:"accepted"`

	// Statuses counts answers by status, Faults injected ones by kind.
	Statuses map[int]int64    `json:"statuses"`
	Faults   map[string]int64 `json:"faults"`
	// BodyBytes that were to be sent in answers to requests for items.
	BodyBytes int64 `json:"body_bytes"`
	// RateLimited were refused by the rate limit, Overloaded by the capacity model.
	RateLimited int64 `json:"rate_limited"`
	Overloaded  int64 `json:"overloaded"`
	// Queued waited for a worker of the capacity model.
	Queued int64 `json:"queued"`
	// Disconnected clients went away before their answer.
	Disconnected int64 `json:"disconnected"`

	// Injected and Actual are the delays of answers (refusals apart), Late is
	// the difference, answer by answer.
	Injected Summary `json:"injected"`
	Actual   Summary `json:"actual"`
	Late     Summary `json:"late"`
	// LateMedianNS and LateP99NS repeat Late's percentiles.
	LateMedianNS int64 `json:"late_median_ns"`
	LateP99NS    int64 `json:"late_p99_ns"`
	// RunnableMedianNS and RunnableP99NS are how long goroutines of this process
	// waited for a CPU since the profile was set.
	RunnableMedianNS int64 `json:"runnable_median_ns"`
	RunnableP99NS    int64 `json:"runnable_p99_ns"`
	// Saturated: the mock itself was too slow for what it promised, and what
	// was measured with it is not to be trusted. Reason says so in words.
	Saturated bool   `json:"saturated"`
	Reason    string `json:"reason,omitempty"`
}

// Summary describes a distribution, within 0.1 % (and a microsecond).
type Summary struct {
	Count  int64 `json:"count"`
	MeanNS int64 `json:"mean_ns"`
	P50NS  int64 `json:"p50_ns"`
	P95NS  int64 `json:"p95_ns"`
	P99NS  int64 `json:"p99_ns"`
	MaxNS  int64 `json:"max_ns"`
}

// tally is the part of the statistics that is counted in shards, by key.
type tally struct {
	requests, repeated, bytes         int64
	limited, overloaded, queued, left int64
	statuses                          []int64 // by status
	faults                            map[string]int64
	injected, actual, late            *hdrhistogram.Histogram
}

type shard struct {
	mu sync.Mutex
	tally
	attempts map[uint64]int // requests so far by hash of the key
	_        [64]byte       // the next shard is on another cache line
}

func newShards() []shard {
	n := 1
	for n < 2*runtime.GOMAXPROCS(0) && n < 16 {
		n *= 2
	}
	shards := make([]shard, n)
	for i := range shards {
		shards[i].tally = newTally()
		shards[i].attempts = map[uint64]int{}
	}
	return shards
}

func newTally() tally {
	return tally{statuses: make([]int64, 600), faults: map[string]int64{}, injected: newHistogram(), actual: newHistogram(), late: newHistogram()}
}

// newHistogram holds 1 µs to maxDelay and some, with 3 significant figures.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(time.Microsecond), int64(2*maxDelay), 3)
}

// arrive counts a request and returns the number of requests for its key so far.
func (s *shard) arrive(hash uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.attempts[hash]++
	n := s.attempts[hash]
	if n > 1 {
		s.repeated++
	}
	return n
}

// answered counts an answer that was not refused.
func (s *shard) answered(status, bytes int, injected, actual time.Duration) {
	late := max(actual-injected, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[status]++
	s.bytes += int64(bytes)
	record(s.injected, injected)
	record(s.actual, actual)
	record(s.late, late)
}

// add counts under the shard's lock.
func (s *shard) add(count func(*tally)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count(&s.tally)
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	// Cannot fail: the value is within the histogram's range.
	_ = h.RecordValue(int64(min(d, 2*maxDelay)))
}

// merge adds up shards.
func merge(shards []shard) tally {
	sum := newTally()
	for i := range shards {
		shards[i].mu.Lock()
		sum.absorb(&shards[i].tally)
		shards[i].mu.Unlock()
	}
	return sum
}

func (t *tally) absorb(o *tally) {
	t.requests += o.requests
	t.repeated += o.repeated
	t.bytes += o.bytes
	t.limited += o.limited
	t.overloaded += o.overloaded
	t.queued += o.queued
	t.left += o.left
	for status, n := range o.statuses {
		t.statuses[status] += n
	}
	for kind, n := range o.faults {
		t.faults[kind] += n
	}
	t.injected.Merge(o.injected)
	t.actual.Merge(o.actual)
	t.late.Merge(o.late)
}

func summarize(h *hdrhistogram.Histogram) Summary {
	if h.TotalCount() == 0 {
		return Summary{}
	}
	return Summary{
		Count:  h.TotalCount(),
		MeanNS: int64(h.Mean()),
		P50NS:  h.ValueAtQuantile(50),
		P95NS:  h.ValueAtQuantile(95),
		P99NS:  h.ValueAtQuantile(99),
		MaxNS:  h.Max(),
	}
}

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
