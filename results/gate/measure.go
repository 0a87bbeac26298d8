package gate

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
	// doubtful are trials whose SUT did not do its work: they may break a budget,
	// and let none be kept. Nil: counts, which hold whatever was done.
	doubtful gaps
	// completed is the value if the given number of further trials came out as low
	// as can be, or as high: what no trial to come can mend is decided.
	completed func(missing int, low bool) float64
	notes     []string
	// believed is the value without what may be the making of the machine or the
	// load generator; doubt says what that is, empty: there is nothing of the kind.
	// It cannot break a budget; a budget that is kept in spite of it is kept.
	believed *float64
	doubt    string
}

// Doubts about a value.
const (
	ofInvalid = "without the invalid trials it would be kept"
	ofLate    = "the load generator began reports late; counted from when they were begun, it would be kept"
)

// measure sums the metric of a budget up over the trials of its variant at a level.
func measure(x *summary.Index, b scenarios.Budget, level string) (measured, error) {
	trials := x.Trials(b.Variant, level)
	family, part, _ := strings.Cut(b.Metric.Name, ".")
	switch family { // counts, which hold whatever the trial did
	case "items":
		return sum(trials, failedItems), nil
	case "upstream":
		if part == "requests" {
			return sum(trials, requestsOf), nil
		}
		return highest(trials, b.Metric.Name), nil
	case "errors":
		return sumByMachine(trials, func(t *results.Trial) (int, string) { return errorsOf(t, part) }), nil
	case "documents":
		return documentsOf(trials, part), nil
	case "shed":
		return sumByMachine(trials, shedBy), nil
	case "done":
		return doneOf(trials), nil
	}
	m, err := quantity(trials, b, family, part)
	m.doubtful = gaps{}
	for _, t := range trials {
		if why := t.Doubt(); why != "" {
			m.doubtful[why]++
		}
	}
	return m, err
}

// quantity measures times and resources.
func quantity(trials []*results.Trial, b scenarios.Budget, family, part string) (measured, error) {
	switch family {
	case "makespan", "efficiency", "cpu":
		return medianOf(trials, family), nil
	case "rss", "fd", "goroutines", "threads", "allocs":
		return highest(trials, b.Metric.Name), nil
	}
	m, err := latency(trials, family, part)
	if err != nil || family != "response" || !slices.ContainsFunc(trials, beganLate) {
		return m, err
	}
	begun, err := latency(trials, "service", part)
	m.believed, m.doubt = begun.value, ofLate
	return m, err
}

func beganLate(t *results.Trial) bool { return t.Service != nil && t.Service.Late > 0 }

// ended says whether the course of a trial was recorded to its end; of a
// service one that stalled was.
func ended(t *results.Trial) bool {
	return t.Outcome == results.OutcomeOK || t.Outcome == results.OutcomeStalled && t.Service != nil
}

// latency is a quantile of the histograms of a stage, or of a service's, merged.
func latency(trials []*results.Trial, of, which string) (measured, error) {
	m := measured{gaps: gaps{}}
	var histograms []results.Histogram
	for _, t := range trials {
		if !ended(t) {
			m.gaps[t.Outcome]++
			continue
		}
		h, why := histogramOf(t, of)
		if why != "" {
			m.gaps[why]++
		}
		if h.Count > 0 {
			histograms = append(histograms, h)
			m.n++
		}
	}
	merged, err := summary.Merge(histograms)
	if err != nil || merged == nil {
		return m, err
	}
	m.value = new(read(merged, which))
	m.completed = func(missing int, low bool) float64 {
		full := hdrhistogram.Import(merged.Export())
		extreme := full.HighestTrackableValue()
		if low {
			extreme = full.LowestTrackableValue()
		}
		if err := full.RecordValues(extreme, int64(missing)*slices.MaxFunc(histograms, byCount).Count); err != nil || !low && which == "mean" {
			return math.Inf(1) // of a mean: values have no bound
		}
		return read(full, which)
	}
	return m, nil
}

func byCount(a, b results.Histogram) int { return cmp.Compare(a.Count, b.Count) }

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
		return h, "reports were due and not sent"
	}
	return h, ""
}

func medianOf(trials []*results.Trial, metric string) measured {
	m := measured{gaps: gaps{}}
	var values []float64
	partial := 0
	for _, t := range trials {
		if !ended(t) {
			m.gaps[t.Outcome]++
			continue
		}
		value := float64(t.Makespan)
		switch metric {
		case "cpu":
			value = float64(t.Resources.UserCPU + t.Resources.SystemCPU)
		case "efficiency":
			value = float64(t.Ideal)
			if t.Makespan > 0 {
				value /= float64(t.Makespan)
			}
		}
		timed := metric != "cpu"
		switch {
		case timed && t.ItemsDone != nil && *t.ItemsDone == 0:
			m.gaps["no item was done"]++
			continue
		case value <= 0:
			m.gaps["not measured"]++
			continue
		case timed && t.ItemsFailed != nil && *t.ItemsFailed > 0:
			partial++
		}
		values = append(values, value)
	}
	if partial > 0 {
		m.notes = append(m.notes, fmt.Sprintf("items failed in %d of %d trials, whose times are of less work", partial, len(values)))
	}
	if m.n = len(values); m.n > 0 {
		m.value = new(stats.Median(values))
	}
	m.completed = func(missing int, low bool) float64 {
		extreme := math.Inf(1)
		if low {
			extreme = 0
		}
		return stats.Median(append(slices.Clone(values), slices.Repeat([]float64{extreme}, missing)...))
	}
	return m
}

// highest of all trials: what one had open or resident that did not come to
// its end was real, though it might have become more.
func highest(trials []*results.Trial, metric string) measured {
	m := measured{gaps: gaps{}}
	m.completed = func(_ int, low bool) float64 { return growing(m.value, low) }
	for _, t := range trials {
		value, why := heldBy(t, metric)
		invalid := t.Outcome == results.OutcomeInvalid
		if !ended(t) && !invalid {
			why = t.Outcome
		}
		if why != "" {
			m.gaps[why]++
		}
		if value == nil || t.Outcome == results.OutcomeFailed {
			continue
		}
		m.n++
		m.value = larger(m.value, value)
		if invalid {
			m.doubt = ofInvalid
		} else {
			m.believed = larger(m.believed, value)
		}
	}
	return m
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
