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

// measured is the value of a metric over the trials of a level.
type measured struct {
	value *float64 // nil means unknown
	n     int      // number of trials behind it
	gaps  gaps     // trials without a complete value
	// doubtful counts trials whose SUT did not do its work: they may violate a
	// budget, but not meet one. It is nil for counts, which are valid in any case.
	doubtful gaps
	// completed returns the value if the given number of further trials had the
	// lowest, or the highest, possible values.
	completed func(missing int, low bool) float64
	notes     []string
	// valid is the value without the effects of an overloaded machine or load
	// generator, and doubt explains these; empty means that there are none. They
	// cannot violate a budget, but a budget that is met in spite of them is met.
	valid *float64
	doubt string
}

// Doubts about a value.
const (
	doubtInvalid = "it would be met without the invalid trials"
	doubtLate    = "the load generator sent requests late; measured from when they were sent, it would be met"
)

// tally accumulates a metric trial by trial.
type tally interface {
	add(t *results.Trial) error
	measured() measured
}

// measure accumulates the metric of a budget over trials.
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
	switch family { // counts, which are valid whatever the SUT did
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

// newQuantity returns the tally of a time or a resource.
func newQuantity(metric, family, part string) tally {
	switch family {
	case "makespan", "efficiency", "cpu":
		return &median{metric: family, gaps: gaps{}}
	case "rss", "fd", "goroutines", "threads", "allocs":
		return &highest{metric: metric, gaps: gaps{}}
	case "response":
		return &response{latency: newLatency(family, part), sinceSent: newLatency("service", part)}
	}
	return newLatency(family, part)
}

// quantity is a metric that is doubtful in trials whose SUT did not do its work.
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

// response is the latency since reports were due, with that since they were sent.
type response struct {
	*latency
	sinceSent *latency
	late      bool
}

func (r *response) add(t *results.Trial) error {
	r.late = r.late || t.Service != nil && t.Service.Late > 0
	return cmp.Or(r.latency.add(t), r.sinceSent.add(t))
}

func (r *response) measured() measured {
	m := r.latency.measured()
	if r.late {
		m.valid, m.doubt = r.sinceSent.measured().value, doubtLate
	}
	return m
}

// ended reports whether a trial was recorded to its end, which includes a service
// that stalled.
func ended(t *results.Trial) bool {
	return t.Outcome == results.OutcomeOK || t.Outcome == results.OutcomeStalled && t.Service != nil
}

// latency is a figure of the merged histograms of a stage or a service.
type latency struct {
	of, figure string
	gaps       gaps
	n          int
	maxCount   int64 // values of one trial
	sum        summary.Merger
}

func newLatency(of, figure string) *latency { return &latency{of: of, figure: figure, gaps: gaps{}} }

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
		l.maxCount = max(l.maxCount, h.Count)
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
	m.value = new(figureOf(merged, l.figure))
	m.completed = func(missing int, low bool) float64 {
		full := hdrhistogram.Import(merged.Export())
		extreme := full.HighestTrackableValue()
		if low {
			extreme = full.LowestTrackableValue()
		}
		if err := full.RecordValues(extreme, int64(missing)*l.maxCount); err != nil || !low && l.figure == "mean" {
			return math.Inf(1) // a mean has no upper bound
		}
		return figureOf(full, l.figure)
	}
	return m
}

// figureOf returns a figure of a histogram: p50, p95, p99, max or mean.
func figureOf(h *hdrhistogram.Histogram, figure string) float64 {
	switch figure {
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

// histogramOf returns a histogram of a trial, and the reason if it is incomplete.
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
		return h, "requests were due but not sent"
	}
	return h, ""
}

// median is the median of the trials' times.
type median struct {
	metric  string
	gaps    gaps
	values  []float64 // sorted
	partial int       // number of trials with failed items
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
	case timed && t.Apart():
		d.gaps[results.WhyApart]++
		return nil
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
		m.value = new(d.completed(0, false))
	}
	m.completed = d.completed
	return m
}

// completed returns the median with that many further values of 0, or of infinity.
func (d *median) completed(missing int, low bool) float64 {
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

// highest is the highest peak of all trials. That of a trial that did not end was
// real, though it might have grown further.
type highest struct {
	metric       string
	gaps         gaps
	n            int
	value, valid *float64
	doubt        string
}

func (h *highest) add(t *results.Trial) error {
	value, why := peakOf(t, h.metric)
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
		h.doubt = doubtInvalid
	} else {
		h.valid = larger(h.valid, value)
	}
	return nil
}

func (h *highest) measured() measured {
	return measured{
		value: h.value, n: h.n, gaps: h.gaps, valid: h.valid, doubt: h.doubt,
		completed: func(_ int, low bool) float64 { return growing(h.value, low) },
	}
}

// growing completes a sum or a maximum, which further trials can only increase.
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
