package learn

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sort"
	"time"

	"floodgate/mockupstream"
)

// Fitted is a fitted profile with explanations.
type Fitted struct {
	Profile mockupstream.Profile `json:"profile"`
	// Queue is the fitted capacity; nil means that the profile has none, for the
	// reason in NoQueue.
	Queue   *Queue `json:"queue,omitempty"`
	NoQueue string `json:"no_queue,omitempty"`
	// Notes name the parts of the recording that the profile cannot express.
	Notes []string `json:"notes,omitempty"`
}

// Fit derives a profile from a recording, as a pure function:
//
//   - The latency is that of the complete answers without an error status, less
//     the wait for a worker if there is a capacity. It is "percentiles" if that
//     differs from the recorded distribution by no more than 2 percentage points or
//     the critical value of Kolmogorov and Smirnov at 5 %, else "replay" of at
//     most 500 recorded quantiles.
//   - The body is uniform or lognormal, whichever is nearer to the recorded sizes.
//   - Error statuses and failures become faults with their shares. 429s become a
//     rate limit if a token bucket refuses as many requests at the same times.
//   - The capacity is described in the package comment.
//
// It fails with a [*TooFewError] for fewer than [MinAnswers] answers.
func Fit(r Recording) (*Fitted, error) {
	var latencies []time.Duration
	var sizes []int64
	for i := range r.Exchanges {
		if e := &r.Exchanges[i]; e.answered() {
			latencies = append(latencies, e.latency())
			sizes = append(sizes, e.Bytes)
		}
	}
	if len(latencies) < MinAnswers {
		return nil, &TooFewError{Answers: len(latencies), Requests: len(r.Exchanges)}
	}
	f := &Fitted{}
	limited := r.fitRate(f)
	f.Profile.Faults = r.faults(limited, slices.Max(latencies))
	slices.Sort(latencies)
	f.Profile.Latency = fitLatency(latencies)
	slices.Sort(sizes)
	f.Profile.Body = fitBody(sizes)
	queues, reason := r.fitQueues(limited)
	f.NoQueue = reason
	if err := f.choose(r, queues); err != nil {
		return nil, err
	}
	f.notes(&r, sizes)
	return f, f.Profile.Validate()
}

// choose sets the profile to that of the queue with which the simulated mock is nearest
// to the recorded latencies. Without queues, the profile has no capacity.
func (f *Fitted) choose(r Recording, queues []Queue) error {
	r.Exchanges = r.Exchanges[:min(len(r.Exchanges), maxFitted)]
	base, least := f.Profile, math.Inf(1)
	for i := range queues {
		p := base
		p.Capacity = &mockupstream.Capacity{Workers: queues[i].Workers}
		p.Latency = fitLatency(queues[i].services)
		fidelity, err := Compare(r, p)
		if err != nil {
			return err
		}
		if d := fidelity.distance(); d < least {
			least, f.Profile, f.Queue = d, p, &queues[i]
		}
	}
	return nil
}

// notes names the parts of the recording that the profile cannot express.
func (f *Fitted) notes(r *Recording, sizes []int64) {
	note := func(format string, args ...any) { f.Notes = append(f.Notes, fmt.Sprintf(format, args...)) }
	counts := map[Failure]int{}
	redirects, uploads := 0, 0
	for i := range r.Exchanges {
		e := &r.Exchanges[i]
		counts[e.Failure]++
		if e.Status >= 300 && e.Status < 400 {
			redirects++
		}
		if e.answered() && e.End-e.First > max(e.latency()/10, time.Millisecond) {
			uploads++
		}
	}
	if redirects > 0 {
		note("%d answers were redirects or 304s; the mock answers 200 in their place", redirects)
	}
	if n := counts[Unreachable]; n > 0 {
		note("%d connections could not be made; the mock resets as many after the answer's delay", n)
	}
	if n := counts[Abandoned]; n > 0 {
		note("%d requests were abandoned by their clients; those that had waited longer than every answer are faults of kind hang, the others are left out", n)
	}
	if len(sizes) > 0 && sizes[0] < bytesOf(1)*3/4 {
		note("some bodies are smaller than one record of the mock, %d bytes", bytesOf(1))
	}
	if uploads*10 > len(sizes) {
		note("in %.0f %% of the answers the body took 10 %% longer than the first byte; the mock sends bodies at once", 100*float64(uploads)/float64(len(sizes)))
	}
	if len(sizes) < 100 {
		note("the 99th percentile of %d answers is their largest value", len(sizes))
	}
	if r.Unrecorded > 0 {
		note("%d requests came after the first %d, which fill the memory of a recording", r.Unrecorded, len(r.Exchanges))
	}
}

// replayed is the largest number of quantiles in a "replay".
const replayed = 500

// fitLatency fits sorted delays.
func fitLatency(sorted []time.Duration) mockupstream.Distribution {
	n := len(sorted)
	quantiles := sorted
	if n > replayed {
		quantiles = make([]time.Duration, replayed)
		for i := range quantiles {
			quantiles[i] = quantile(sorted, (float64(i)+0.5)/replayed)
		}
	}
	var best mockupstream.Distribution
	distance := math.Inf(1)
	for _, share := range []float64{0, 0.5, 0.9, 0.99} {
		d := percentiles(sorted, time.Duration(share*float64(sorted[0])))
		if away := farthest(&d, quantiles); away < distance {
			best, distance = d, away
		}
	}
	const critical = 1.358 // Kolmogorov's distribution at 5 %
	if distance <= max(critical/math.Sqrt(float64(n)), 0.02) {
		return best
	}
	replay := mockupstream.Distribution{Kind: "replay"}
	for _, q := range quantiles {
		replay.Samples = append(replay.Samples, micro(q))
	}
	return replay
}

// percentiles returns the distribution with the percentiles of the sorted
// delays, above the least delay plus.
func percentiles(sorted []time.Duration, plus time.Duration) mockupstream.Distribution {
	plus = time.Duration(micro(plus))
	at := func(q float64) mockupstream.Duration {
		return max(micro(quantile(sorted, q)-plus), mockupstream.Duration(time.Microsecond))
	}
	return mockupstream.Distribution{
		Kind: "percentiles", P50: at(0.5), P95: at(0.95), P99: at(0.99), Max: at(1), Plus: mockupstream.Duration(plus),
	}
}

// micro rounds to microseconds, the resolution of a recording.
func micro(d time.Duration) mockupstream.Duration {
	return mockupstream.Duration(d.Round(time.Microsecond))
}

// farthest returns the largest distance between the distribution functions of d
// and of the sorted quantiles.
func farthest(d *mockupstream.Distribution, quantiles []time.Duration) float64 {
	n := float64(len(quantiles))
	largest := 0.0
	for i := 0; i < len(quantiles); {
		next := i
		for next < len(quantiles) && quantiles[next] == quantiles[i] {
			next++
		}
		below := share(func(u float64) bool { return d.Quantile(u) >= quantiles[i] })
		upTo := share(func(u float64) bool { return d.Quantile(u) > quantiles[i] })
		largest = max(largest, math.Abs(below-float64(i)/n), math.Abs(upTo-float64(next)/n))
		i = next
	}
	return largest
}

// share returns the smallest share at which beyond is true, to within 2^-20.
func share(beyond func(u float64) bool) float64 {
	const steps = 1 << 20
	return float64(sort.Search(steps, func(i int) bool { return beyond((float64(i) + 0.5) / steps) })) / steps
}

// fitBody fits the sorted sizes of bodies.
func fitBody(sorted []int64) mockupstream.Body {
	records := make([]int, len(sorted))
	for i, size := range sorted {
		records[i] = recordsOf(size)
	}
	least, most := records[0], records[len(records)-1]
	uniform := mockupstream.Body{Min: least, Max: most}
	median := quantile(records, 0.5)
	if least == most || median > maxMedian {
		return uniform
	}
	high := max(quantile(records, 0.95), median)
	const z95 = 1.6448536269514722 // normal quantile of 0.95
	lognormal := mockupstream.Body{
		Kind: "lognormal", Min: least, Max: most, Median: median,
		Sigma: min(math.Round(1000*math.Log(float64(high)/float64(median))/z95)/1000, 5),
	}
	if sizeDistance(lognormal, records) < sizeDistance(uniform, records) {
		return lognormal
	}
	return uniform
}

// maxMedian is the largest median that a lognormal body may have.
const maxMedian = 10_000

// maxRecords is the largest number of records that a body may have.
const maxRecords = 1_000_000

// sizeDistance returns the sum over 19 quantiles of the differences between the
// records of b and the sorted records, on a logarithmic scale.
func sizeDistance(b mockupstream.Body, sorted []int) float64 {
	sum := 0.0
	for i := 1; i < 20; i++ {
		u := float64(i) / 20
		sum += math.Abs(math.Log(float64(b.Quantile(u))) - math.Log(float64(quantile(sorted, u))))
	}
	return sum
}

// bytesOf returns the typical size of an answer of the mock with that many records.
func bytesOf(records int) int64 {
	return emptyBytes + int64(math.Round(float64(records)*recordBytes))
}

// recordsOf returns the number of records, at least 1, of an answer nearest to the size.
func recordsOf(size int64) int {
	return int(min(max(math.Round(float64(size-emptyBytes)/recordBytes), 1), maxRecords))
}

// Sizes of the mock's answers, which a test compares with [mockupstream.Answer].
const (
	emptyBytes  = 35    // of the JSON around the records, for a key of 12 bytes
	recordBytes = 150.2 // of a record, with its comma
)

// faults returns the error statuses and failures as faults with their probabilities, in a
// fixed order. If limited is set, the 429s come from a rate limit instead.
func (r *Recording) faults(limited bool, longest time.Duration) []mockupstream.Fault {
	counts := map[mockupstream.Fault]int{}
	left := 0
	var hangs []time.Duration
	for i := range r.Exchanges {
		e := &r.Exchanges[i]
		if limited && e.Status == http.StatusTooManyRequests {
			continue
		}
		f, ok := e.fault(longest)
		if !ok {
			continue
		}
		left++
		if f.Kind == "hang" {
			hangs = append(hangs, e.latency())
		}
		if f.Kind != "" {
			counts[f]++
		}
	}
	var faults []mockupstream.Fault
	for f, n := range counts {
		f.Probability = float64(n)
		faults = append(faults, f)
	}
	slices.SortFunc(faults, func(a, b mockupstream.Fault) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Status, b.Status))
	})
	for i := range faults {
		f := &faults[i]
		n := f.Probability
		f.Probability = math.Round(1e6*n/float64(left)) / 1e6 // the condition is that no earlier fault was drawn
		left -= int(n)
		if f.Kind == "hang" {
			slices.Sort(hangs)
			f.For = mockupstream.Duration(quantile(hangs, 0.5).Round(time.Millisecond))
		}
	}
	return faults
}

// fault returns the fault that reproduces the exchange; an empty kind means that there
// was none. A failure after the longest time of an answer is a "hang". It returns false
// if the client left too early to know.
func (e *Exchange) fault(longest time.Duration) (mockupstream.Fault, bool) {
	late := e.Status == 0 && e.latency() > longest
	switch {
	case e.Failure == TimedOut, late && (e.Failure == Reset || e.Failure == Closed || e.Failure == Abandoned):
		return mockupstream.Fault{Kind: "hang"}, true
	case e.Failure == Abandoned:
		return mockupstream.Fault{}, false
	case e.Failure == Reset, e.Failure == Unreachable:
		return mockupstream.Fault{Kind: "reset"}, true
	case e.Failure == Closed:
		return mockupstream.Fault{Kind: "close"}, true
	case e.Failure == Truncated:
		return mockupstream.Fault{Kind: "truncate"}, true
	}
	if e.Status >= 400 && e.Status <= 599 {
		return mockupstream.Fault{Kind: "status", Status: e.Status}, true
	}
	return mockupstream.Fault{}, true
}

// A rate limit is fitted from at least minLimited refusals. It must refuse
// about as many requests as recorded in each stretch with perStretch refusals:
// a probability would miss by the scatter of a binomial, about 0.13.
const (
	minLimited = 30
	perStretch = 10
	maxMiss    = 0.09
)

// fitRate sets the rate limit of f and reports whether 429s are its refusals.
func (r *Recording) fitRate(f *Fitted) bool {
	var times []time.Duration
	var refused []bool
	var gaps time.Duration // between admitted requests with a refusal in between
	count, between, last := 0, 0, time.Duration(-1)
	since := false
	for i := range r.Exchanges {
		e := &r.Exchanges[i]
		limited := e.Status == http.StatusTooManyRequests
		times, refused = append(times, e.Start), append(refused, limited)
		switch {
		case limited:
			count++
			since = true
		default:
			if since && last >= 0 {
				gaps += e.Start - last
				between++
			}
			last, since = e.Start, false
		}
	}
	if count < minLimited || between == 0 || gaps <= 0 {
		return false
	}
	if len(times) > maxFitted {
		times, refused = times[:maxFitted], refused[:maxFitted]
	}
	guess := float64(between) / gaps.Seconds()
	best, miss := mockupstream.RateLimit{}, math.Inf(1)
	try := func(rate float64, burst int) {
		l := mockupstream.RateLimit{PerSecond: rate, Burst: burst}
		if m := missed(l.Admits(times), refused); m < miss {
			best, miss = l, m
		}
	}
	for step := -8; step <= 40; step++ { // gaps with refusals are longer than others, so the guess is low
		for burst := 1; burst <= 1000; burst += max(1, burst/3) {
			try(guess*math.Pow(2, float64(step)/16), burst)
		}
	}
	coarse := best
	for step := -12; step <= 12; step++ {
		for b := -4; b <= 4; b++ {
			try(coarse.PerSecond*(1+float64(step)/250), max(1, coarse.Burst+b*max(1, coarse.Burst/16)))
		}
	}
	if miss > maxMiss {
		return false
	}
	best.PerSecond = roundTo3(best.PerSecond)
	f.Profile.Rate = &best
	return true
}

// missed returns by how much the numbers of refusals differ, summed over
// stretches of requests, as a share of the refusals of both (the dissimilarity
// of Bray and Curtis).
func missed(admitted, refused []bool) float64 {
	var difference, sum, got, want int
	for i := range refused {
		if !admitted[i] {
			got++
		}
		if refused[i] {
			want++
		}
		if want == perStretch || i == len(refused)-1 {
			difference += max(got-want, want-got)
			sum += got + want
			got, want = 0, 0
		}
	}
	return float64(difference) / float64(max(sum, 1))
}

// roundTo3 rounds to three significant digits.
func roundTo3(x float64) float64 {
	scale := math.Pow(10, 2-math.Floor(math.Log10(x)))
	return math.Round(x*scale) / scale
}

// rank returns the index of the quantile q in n sorted values.
func rank(n int, q float64) int {
	return min(max(int(math.Ceil(q*float64(n)-1e-9))-1, 0), n-1)
}
