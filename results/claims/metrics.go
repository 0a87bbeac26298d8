package claims

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/scenarios"
)

// measured is what the trials of a level say of a metric.
type measured struct {
	value *float64 // nil: nothing
	n     int      // trials behind it
	gaps  gaps     // trials that say nothing, or not all
	// doubtful are trials whose SUT did not do its work: they may violate a
	// budget, and let none be met. Nil: counts, which hold whatever was done.
	doubtful gaps
	// completed is the value if the given number of further trials came out as low
	// as can be, or as high: what no trial to come can mend is decided.
	completed func(missing int, low bool) float64
	notes     []string
	// believed is the value without what may be the making of the machine or the
	// load generator; doubt says what that is, empty: there is nothing of the kind.
	// It cannot violate a budget; a budget that is met in spite of it is met.
	believed *float64
	doubt    string
}

// Doubts about a value.
const (
	ofInvalid = "it would be met without the invalid trials"
	ofLate    = "the load generator sent reports late; measured from when they were sent, it would be met"
)

// tally sums a metric up, one trial after another.
type tally interface {
	add(t *results.Trial) error
	measured() measured
}

// measure sums the metric of a budget up over trials.
func measure(trials []*results.Trial, b scenarios.Budget) (measured, error) {
	sum := newTally(b)
	for _, t := range trials {
		if err := sum.add(t); err != nil {
			return measured{}, err
		}
	}
	return sum.measured(), nil
}

func newTally(b scenarios.Budget) tally {
	family, part, _ := strings.Cut(b.Metric.Name, ".")
	switch family { // counts, which hold whatever the trial did
	case "items":
		return newSum(failedItems)
	case "upstream":
		if part == "requests" {
			return newSum(requestsOf)
		}
		return &highest{metric: b.Metric.Name, gaps: gaps{}}
	case "errors":
		return &sumByMachine{sum: newSum(func(t *results.Trial) (int, string) { return errorsOf(t, part) })}
	case "documents":
		return newDocuments(part)
	case "shed":
		return &sumByMachine{sum: newSum(shedBy)}
	case "done":
		return &doneShare{gaps: gaps{}}
	}
	return &quantity{tally: newQuantity(b.Metric.Name, family, part), doubtful: gaps{}}
}

// newQuantity measures times and resources.
func newQuantity(metric, family, part string) tally {
	switch family {
	case "makespan", "efficiency", "cpu":
		return &median{metric: family, gaps: gaps{}}
	case "rss", "fd", "goroutines", "threads", "allocs":
		return &highest{metric: metric, gaps: gaps{}}
	case "response":
		return &response{latency: newLatency(family, part), begun: newLatency("service", part)}
	}
	return newLatency(family, part)
}

// quantity is a metric of which trials that did not do their work are doubtful.
type quantity struct {
	tally
	doubtful gaps
}

func (q *quantity) add(t *results.Trial) error {
	if why := t.Doubt(); why != "" {
		q.doubtful[why]++
	}
	return q.tally.add(t)
}

func (q *quantity) measured() measured {
	m := q.tally.measured()
	m.doubtful = q.doubtful
	return m
}

// response is the latency since reports were due, beside that since they were begun.
type response struct {
	*latency
	begun *latency
	late  bool
}

func (r *response) add(t *results.Trial) error {
	r.late = r.late || beganLate(t)
	return cmp.Or(r.latency.add(t), r.begun.add(t))
}

func (r *response) measured() measured {
	m := r.latency.measured()
	if r.late {
		m.believed, m.doubt = r.begun.measured().value, ofLate
	}
	return m
}

func beganLate(t *results.Trial) bool { return t.Service != nil && t.Service.Late > 0 }

// ended reports whether the course of a trial was recorded to its end; of a
// service one that stalled was.
func ended(t *results.Trial) bool {
	return t.Outcome == results.OutcomeOK || t.Outcome == results.OutcomeStalled && t.Service != nil
}

// latency is a quantile of the histograms of a stage, or of a service's, merged.
type latency struct {
	of, which string
	gaps      gaps
	n         int
	most      int64 // values of one trial
	sum       summary.Merger
}

func newLatency(of, which string) *latency { return &latency{of: of, which: which, gaps: gaps{}} }

func (l *latency) add(t *results.Trial) error {
	if !ended(t) {
		l.gaps[t.Outcome]++
		return nil
	}
	h, why := histogramOf(t, l.of)
	if why != "" {
		l.gaps[why]++
	}
	if h.Count > 0 {
		l.n++
		l.most = max(l.most, h.Count)
	}
	if err := l.sum.Add(h); err != nil {
		return fmt.Errorf("trial %d: %w", t.Index, err)
	}
	return nil
}

func (l *latency) measured() measured {
	m := measured{gaps: l.gaps, n: l.n}
	merged := l.sum.Sum
	if merged == nil {
		return m
	}
	m.value = new(read(merged, l.which))
	m.completed = func(missing int, low bool) float64 {
		full := hdrhistogram.Import(merged.Export())
		extreme := full.HighestTrackableValue()
		if low {
			extreme = full.LowestTrackableValue()
		}
		if err := full.RecordValues(extreme, int64(missing)*l.most); err != nil || !low && l.which == "mean" {
			return math.Inf(1) // of a mean: values have no bound
		}
		return read(full, l.which)
	}
	return m
}

// read is a figure of a histogram: p50, p95, p99, max or the mean.
func read(h *hdrhistogram.Histogram, which string) float64 {
	switch which {
	case "p50":
		return float64(h.ValueAtQuantile(50))
	case "p95":
		return float64(h.ValueAtQuantile(95))
	case "p99":
		return float64(h.ValueAtQuantile(99))
	case "max":
		return float64(h.Max())
	}
	return h.Mean()
}

// histogramOf a trial, and why it does not tell all.
func histogramOf(t *results.Trial, of string) (h results.Histogram, why string) {
	var reports map[string]results.Histogram
	if s := t.Service; s != nil {
		reports = map[string]results.Histogram{"response": s.Response, "accepted": s.Accepted, "service": s.ServiceTime}
	}
	h, service := reports[of]
	if !service {
		h = t.Stages[of]
	}
	switch {
	case h.Count == 0:
		return h, "no histogram"
	case service && t.Service.Dropped > 0 && of != "accepted":
		return h, "reports were due but not sent"
	}
	return h, ""
}

// median of the trials' times.
type median struct {
	metric  string
	gaps    gaps
	values  []float64 // sorted
	partial int       // trials in which items failed
}

func (d *median) add(t *results.Trial) error {
	if !ended(t) {
		d.gaps[t.Outcome]++
		return nil
	}
	value := float64(t.Makespan)
	switch d.metric {
	case "cpu":
		value = float64(t.Resources.UserCPU + t.Resources.SystemCPU)
	case "efficiency":
		value = float64(t.Ideal)
		if t.Makespan > 0 {
			value /= float64(t.Makespan)
		}
	}
	timed := d.metric != "cpu"
	switch {
	case timed && t.ItemsDone != nil && *t.ItemsDone == 0:
		d.gaps["no item was completed"]++
		return nil
	case value <= 0:
		d.gaps["not measured"]++
		return nil
	case timed && t.ItemsFailed != nil && *t.ItemsFailed > 0:
		d.partial++
	}
	at, _ := slices.BinarySearch(d.values, value)
	d.values = slices.Insert(d.values, at, value)
	return nil
}

func (d *median) measured() measured {
	m := measured{gaps: d.gaps, n: len(d.values)}
	if d.partial > 0 {
		m.notes = append(m.notes, fmt.Sprintf("items failed in %d of %d trials, whose times therefore cover less work", d.partial, m.n))
	}
	if m.n > 0 {
		m.value = new(d.with(0, false))
	}
	m.completed = d.with
	return m
}

// with is the median if so many further values were 0, or infinite.
func (d *median) with(missing int, low bool) float64 {
	n := len(d.values) + missing
	at := func(i int) float64 {
		if low {
			i -= missing
		}
		switch {
		case i < 0:
			return 0
		case i >= len(d.values):
			return math.Inf(1)
		}
		return d.values[i]
	}
	return stats.Median([]float64{at((n - 1) / 2), at(n / 2)})
}

// highest of all trials: what one had open or resident that did not come to
// its end was real, though it might have become more.
type highest struct {
	metric          string
	gaps            gaps
	n               int
	value, believed *float64
	doubt           string
}

func (h *highest) add(t *results.Trial) error {
	value, why := heldBy(t, h.metric)
	invalid := t.Outcome == results.OutcomeInvalid
	if !ended(t) && !invalid {
		why = t.Outcome
	}
	if why != "" {
		h.gaps[why]++
	}
	if value == nil || t.Outcome == results.OutcomeFailed {
		return nil
	}
	h.n++
	h.value = larger(h.value, value)
	if invalid {
		h.doubt = ofInvalid
	} else {
		h.believed = larger(h.believed, value)
	}
	return nil
}

func (h *highest) measured() measured {
	return measured{
		value: h.value, n: h.n, gaps: h.gaps, believed: h.believed, doubt: h.doubt,
		completed: func(_ int, low bool) float64 { return growing(h.value, low) },
	}
}

// growing is a sum or a maximum that further trials can only add to.
func growing(value *float64, low bool) float64 {
	if low {
		return *value
	}
	return math.Inf(1)
}

func larger(a, b *float64) *float64 {
	if a == nil || *b > *a {
		return b
	}
	return a
}
