package learn

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"
)

// Queue is a fitted capacity.
type Queue struct {
	Workers int `json:"workers"`
	// Low and High are the smallest and the largest plausible number of workers.
	Low  int `json:"low"`
	High int `json:"high"`
	// Correlation is Spearman's rank correlation of the latency and the requests in
	// flight at the arrival; Left is that of the service time.
	Correlation         float64 `json:"correlation"`
	ResidualCorrelation float64 `json:"left"`
	// Waiting is the share of the latency that is spent waiting for a worker.
	Waiting float64 `json:"waiting"`

	services []time.Duration // of the answers
}

// Bounds of a fit.
const (
	// maxFitted bounds the requests from which a capacity or a rate limit is fitted.
	maxFitted = 20_000
	// minQueued is the minimum number of requests for fitting a capacity.
	minQueued = 50
	// stretch is the number of requests in a stretch of a recording.
	stretch = 20
	// maxTried is the number of plausible numbers of workers that are simulated on
	// either side of the one with the least correlation.
	maxTried = 4
	// candidates is the largest number of numbers of workers that are tried.
	candidates = 128

	z95 = 1.959963984540054  // two-sided 5 %
	z99 = 2.3263478740408408 // one-sided 1 %

	weak          = 0.1  // a correlation up to this is negligible
	smallContrast = 0.1  // a contrast up to this is negligible
	maxEarly      = 0.02 // maximum share of requests that end before they could start
	minShare      = 0.05 // minimum share of the latency that is waiting
)

// job is a request that occupied a worker.
type job struct {
	arrival, end time.Duration
	answered     bool
}

// jobs are requests in the order of their arrival.
type jobs []job

// fitQueues returns the capacities that explain how latency rises with the requests
// in flight, or the reason why there is none.
func (r *Recording) fitQueues(limited bool) ([]Queue, string) {
	all := r.jobs(limited)
	if len(all) < minQueued {
		return nil, fmt.Sprintf("%d requests are too few to see whether latency rises with the requests in flight (want at least %d)", len(all), minQueued)
	}
	inFlight, peak := all.inFlight()
	if slices.Min(inFlight) == peak {
		return nil, fmt.Sprintf("the number of requests in flight was always %d, so its effect on latency is unknown; record several concurrencies", peak)
	}
	ranks := ranked(inFlight)
	latency := correlation(ranked(all.latencies()), ranks)
	scale := math.Sqrt(float64(len(all) - 1)) // times Spearman's correlation: standard normal if independent
	if latency*scale < z99 {
		return nil, fmt.Sprintf("latency does not rise with the requests in flight (1 to %d)", peak)
	}
	if !all.rises(inFlight) {
		return nil, fmt.Sprintf("more requests were in flight (1 to %d) when the upstream was slower, but the load did not make it slower", peak)
	}
	queues := all.queues(ranks, peak)
	if len(queues) == 0 {
		return nil, "latency rises with the requests in flight, but not as a queue for workers makes it rise; the profile has the recorded latencies, whatever the load"
	}
	if q := queues[0]; q.Waiting < minShare || len(q.services) < MinAnswers {
		return nil, fmt.Sprintf("waiting for one of %d workers would be %.1f %% of the latency, which is too little to tell", q.Workers, 100*q.Waiting)
	}
	for i := range queues {
		queues[i].Correlation = latency
	}
	return queues, ""
}

// jobs returns the requests that reached a worker, up to maxFitted of them.
func (r *Recording) jobs(limited bool) jobs {
	var all jobs
	for i := range r.Exchanges {
		e := &r.Exchanges[i]
		if e.Failure == Unreachable || limited && e.Status == http.StatusTooManyRequests {
			continue
		}
		if len(all) == maxFitted {
			break
		}
		all = append(all, job{e.Start, e.First, e.answered()})
	}
	return all
}

// queues returns the plausible queues: those whose service times the test does not
// reject, or whose correlation or contrast is negligible. The first one has the smallest
// correlation; up to maxTried follow on either side. ranks are those of the requests in
// flight, of which there are up to peak.
func (all jobs) queues(ranks []float64, peak int) []Queue {
	tolerance := all.median() / 5
	scale := math.Sqrt(float64(len(all) - 1))
	var possible []Queue
	best := 0
	for k := 1; k < peak; k += max(1, k*8/candidates) {
		services := all.services(k)
		if early(services, tolerance) > maxEarly {
			continue
		}
		possible = append(possible, Queue{Workers: k, ResidualCorrelation: correlation(ranked(services), ranks)})
		if i := len(possible) - 1; math.Abs(possible[i].ResidualCorrelation) < math.Abs(possible[best].ResidualCorrelation) {
			best = i
		}
	}
	if len(possible) == 0 {
		return nil
	}
	plausible := func(q Queue) bool {
		return math.Abs(q.ResidualCorrelation) <= max(z95/scale, weak) || contrast(all.services(q.Workers), ranks) <= smallContrast
	}
	if !plausible(possible[best]) {
		return nil
	}
	from, to := best, best+1
	for from > 0 && plausible(possible[from-1]) {
		from--
	}
	for to < len(possible) && plausible(possible[to]) {
		to++
	}
	low, high := possible[from].Workers, possible[to-1].Workers
	from, to = max(from, best-maxTried), min(to, best+1+maxTried)
	queues := append([]Queue{possible[best]}, possible[from:best]...)
	queues = append(queues, possible[best+1:to]...)
	for i := range queues {
		queues[i].Low, queues[i].High = low, high
		all.serve(&queues[i])
	}
	return queues
}

// serve sets the service times of the answers and the share of waiting.
func (all jobs) serve(q *Queue) {
	var waited, took time.Duration
	for i, s := range all.services(q.Workers) {
		latency := all[i].end - all[i].arrival
		took += latency
		waited += latency - s
		if all[i].answered {
			q.services = append(q.services, max(s, 0))
		}
	}
	slices.Sort(q.services)
	q.Waiting = float64(waited) / float64(max(took, 1))
}

// inFlight returns the number of jobs in flight at each arrival, including the arriving
// one, and the largest number.
func (all jobs) inFlight() (counts []int, peak int) {
	ends := make([]time.Duration, len(all))
	for i := range all {
		ends[i] = all[i].end
	}
	slices.Sort(ends)
	ended := 0
	for i := range all {
		for ended < len(ends) && ends[ended] <= all[i].arrival {
			ended++
		}
		counts = append(counts, i+1-ended)
		peak = max(peak, i+1-ended)
	}
	return counts, peak
}

// services returns the service times with k workers, first come, first served.
// A negative time contradicts k.
func (all jobs) services(k int) []time.Duration {
	latest := make([]time.Duration, min(k, len(all))) // heap of the k latest ends so far
	services := make([]time.Duration, len(all))
	for i, j := range all {
		services[i] = j.end - max(j.arrival, latest[0])
		if j.end > latest[0] {
			replaceFirst(latest, j.end)
		}
	}
	return services
}

// replaceFirst replaces the earliest time of a heap.
func replaceFirst(heap []time.Duration, t time.Duration) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(heap) {
			break
		}
		if right := child + 1; right < len(heap) && heap[right] < heap[child] {
			child = right
		}
		if heap[child] >= t {
			break
		}
		heap[i] = heap[child]
		i = child
	}
	heap[i] = t
}

// median returns the median latency.
func (all jobs) median() time.Duration {
	latencies := slices.Sorted(slices.Values(all.latencies()))
	return quantile(latencies, 0.5)
}

func (all jobs) latencies() []time.Duration {
	latencies := make([]time.Duration, len(all))
	for i, j := range all {
		latencies[i] = j.end - j.arrival
	}
	return latencies
}

// early returns the share of jobs that ended before they could start.
func early(services []time.Duration, tolerance time.Duration) float64 {
	n := 0
	for _, s := range services {
		if s < -tolerance {
			n++
		}
	}
	return float64(n) / float64(len(services))
}

// rises reports whether load increases latency, and not the other way round: slower
// requests are in flight for longer. So either latency rises with the requests in flight
// within short stretches, in which the upstream does not change; or it rises from stretch
// to stretch with the rate of arrivals, which slow answers do not increase.
func (all jobs) rises(inFlight []int) bool {
	var ab, aa, bb float64
	var medians, rates []time.Duration
	latencies := all.latencies()
	for from := 0; from+stretch < len(all); from += stretch {
		took := latencies[from : from+stretch]
		a, b := ranked(took), ranked(inFlight[from:from+stretch])
		for i := range a {
			ab, aa, bb = ab+a[i]*b[i], aa+a[i]*a[i], bb+b[i]*b[i]
		}
		medians = append(medians, quantile(slices.Sorted(slices.Values(took)), 0.5))
		rates = append(rates, all[from].arrival-all[from+stretch].arrival) // higher if they arrive faster
	}
	within := ab / math.Sqrt(max(aa*bb, 1)) * math.Sqrt(float64(len(medians)*(stretch-1)))
	between := correlation(ranked(medians), ranked(rates)) * math.Sqrt(float64(len(medians)-1))
	return within > z99 || between > z99
}

// contrast returns the difference between the median service time at many requests in
// flight and that at few, as a share of the latter.
func contrast(services []time.Duration, ranks []float64) float64 {
	var few, many []time.Duration
	for i, s := range services {
		if ranks[i] > 0 {
			many = append(many, s)
		} else {
			few = append(few, s)
		}
	}
	if len(few) == 0 || len(many) == 0 {
		return 0
	}
	slices.Sort(few)
	slices.Sort(many)
	at := quantile(few, 0.5)
	return math.Abs(float64(quantile(many, 0.5)-at)) / float64(max(at, 1))
}

// ranked returns the ranks of x less their mean; ties share their mean rank.
func ranked[T ~int | ~int64](x []T) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	ranks := make([]float64, len(x))
	middle := float64(len(x)-1) / 2
	for i := 0; i < len(order); {
		next := i
		for next < len(order) && x[order[next]] == x[order[i]] {
			next++
		}
		for _, at := range order[i:next] {
			ranks[at] = float64(i+next-1)/2 - middle
		}
		i = next
	}
	return ranks
}

// correlation returns Pearson's correlation of two series with mean zero, which of ranks
// is Spearman's; zero if one is constant.
func correlation(a, b []float64) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += a[i] * b[i]
		aa += a[i] * a[i]
		bb += b[i] * b[i]
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
