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

// Stats counts the requests and answers of an Upstream since its profile was
// set. Durations are integers of nanoseconds.
//
// The delay of an answer runs from the moment when net/http hands over the
// request (read and parsed) to the moment when the answer is handed back. The
// injected delay is the drawn delay plus the wait for a worker of the capacity
// model. An answer is counted before its first byte leaves; its request stops
// being in flight before its last byte leaves.
type Stats struct {
	Seed uint64 `json:"seed"`
	// UptimeNS is the time since the profile was set.
	UptimeNS int64 `json:"uptime_ns"`
	// Phase is the number of phases of the profile that have begun.
	Phase int `json:"phase"`

	// Requests counts requests for items: Keys of them were the first for their
	// key, Repeated were not.
	Requests int64 `json:"requests"`
	Keys     int64 `json:"keys"`
	Repeated int64 `json:"repeated"`
	// Traced counts those with a valid header traceparent.
	Traced int64 `json:"traced"`
	// InFlight counts the requests that have been received and not answered. They
	// outlive a change of profile; PeakInFlight covers those received since it.
	InFlight     int64 `json:"in_flight"`
	PeakInFlight int64 `json:"peak_in_flight"`
	// Connections counts the open connections, Accepted those accepted since the
	// profile was set. They stay zero unless the server's ConnState is the
	// Upstream's, as it is with Serve.
	Connections     int64 `json:"connections"`
	PeakConnections int64 `json:"peak_connections"`
	Accepted        int64 `json:"accepted"`

	// Statuses counts answers by status, Faults counts injected faults by kind.
	Statuses map[int]int64    `json:"statuses"`
	Faults   map[string]int64 `json:"faults"`
	// BodyBytes is the total size of the bodies of answers to requests for items.
	BodyBytes int64 `json:"body_bytes"`
	// RateLimited counts requests refused by the rate limit, Overloaded those
	// refused by the capacity model.
	RateLimited int64 `json:"rate_limited"`
	Overloaded  int64 `json:"overloaded"`
	// Queued counts requests that waited for a worker of the capacity model.
	Queued int64 `json:"queued"`
	// Disconnected counts clients that disconnected before their answer.
	Disconnected int64 `json:"disconnected"`

	// Injected and Actual are the delays of answers (without refusals); Late is
	// the difference, computed for each answer.
	Injected Summary `json:"injected"`
	Actual   Summary `json:"actual"`
	Late     Summary `json:"late"`
	// LateMedianNS and LateP99NS repeat Late's percentiles.
	LateMedianNS int64 `json:"late_median_ns"`
	LateP99NS    int64 `json:"late_p99_ns"`
	// RunnableMedianNS and RunnableP99NS are percentiles of the time that goroutines
	// of this process waited for a CPU since the profile was set.
	RunnableMedianNS int64 `json:"runnable_median_ns"`
	RunnableP99NS    int64 `json:"runnable_p99_ns"`
	// Saturated reports that the mock could not keep its promised delays, so that
	// measurements made with it are invalid. Reason explains why.
	Saturated bool   `json:"saturated"`
	Reason    string `json:"reason,omitempty"`
}

// Summary describes a distribution to within 0.1 % (and a microsecond).
type Summary struct {
	Count  int64 `json:"count"`
	MeanNS int64 `json:"mean_ns"`
	P50NS  int64 `json:"p50_ns"`
	P95NS  int64 `json:"p95_ns"`
	P99NS  int64 `json:"p99_ns"`
	MaxNS  int64 `json:"max_ns"`
}

// tally holds the statistics that are counted in shards, by key.
type tally struct {
	requests, repeated, traced, bytes         int64
	limited, overloaded, queued, disconnected int64
	statuses                                  []int64 // by status
	faults                                    map[string]int64
	injected, actual, late                    *hdrhistogram.Histogram
}

type shard struct {
	mu sync.Mutex
	tally
	attempts map[uint64]int // requests so far, by hash of the key
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

// newHistogram returns a histogram from 1 µs to 2·maxDelay with 3 significant figures.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(time.Microsecond), int64(2*maxDelay), 3)
}

// arrive counts a request and returns the number of requests for its key so far.
func (s *shard) arrive(hash uint64, traced bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if traced {
		s.traced++
	}
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

// add calls count with the shard locked.
func (s *shard) add(count func(*tally)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count(&s.tally)
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	// Cannot fail: the value is within the histogram's range.
	_ = h.RecordValue(int64(min(d, 2*maxDelay)))
}

// merge returns the sum of the shards.
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
	t.traced += o.traced
	t.bytes += o.bytes
	t.limited += o.limited
	t.overloaded += o.overloaded
	t.queued += o.queued
	t.disconnected += o.disconnected
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

// The minimum numbers of answers from which the median and the 99th percentile of
// lateness are judged.
const (
	minForMedian = 10
	minForP99    = 100
)

const defaultLateBound = 2 * time.Millisecond

// bounds returns the profile's late bounds with defaults filled in.
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

// judge sets Saturated and Reason. An answer without an injected delay is never
// late by this measure, since a request that waits to be read has not yet
// arrived; the time that goroutines wait for a CPU shows that case.
func (s *Stats) judge(p *Profile) {
	median, p99 := p.bounds()
	var reasons []string
	exceeds := func(count, least, value int64, bound time.Duration, format string) {
		if count >= least && value > int64(bound) {
			reasons = append(reasons, fmt.Sprintf(format, time.Duration(value).Round(time.Microsecond), bound))
		}
	}
	n := s.Late.Count
	exceeds(n, minForMedian, s.LateMedianNS, median, "the median answer left %v after its injected delay (bound: %v)")
	exceeds(n, minForP99, s.LateP99NS, p99, "1%% of the answers left %v or more after their injected delay (bound: %v)")
	exceeds(n, minForMedian, s.RunnableMedianNS, median, "half the time a goroutine waited %v or more for a CPU (bound: %v)")
	if len(reasons) > 0 {
		s.Saturated = true
		s.Reason = "the mock upstream or its machine is too slow: " + strings.Join(reasons, "; ")
	}
}

// runnable returns the histogram of the times that goroutines have waited for a CPU since
// the process started, and the median and the 99th percentile of those after the earlier
// histogram since.
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

// quantile returns the lower end of the bucket in which the share q is reached.
func quantile(h *metrics.Float64Histogram, total uint64, q float64) time.Duration {
	rank, seen := uint64(math.Ceil(q*float64(total))), uint64(0)
	for i, n := range h.Counts {
		if seen += n; seen >= rank && n > 0 {
			return time.Duration(max(h.Buckets[i], 0) * float64(time.Second))
		}
	}
	return 0
}
