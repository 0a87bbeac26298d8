package sut

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/results"
	"floodgate/scenarios/pipeline/recorder"
)

// Stage is the durations of one stage of all items, as a SUT reports them. It
// costs the SUT little to write, and any program can: the harness makes the
// histogram of it.
type Stage struct {
	// Values in nanoseconds, up to an hour, in any order.
	Values []int64 `json:"values_ns"`
	// Counts says how often each value occurred; left out: once.
	Counts []int64 `json:"counts,omitempty"`
}

// newStage takes the values of h. They are the lowest of their buckets, so
// that the histogram made of them has the same counts.
func newStage(h *hdrhistogram.Histogram) Stage {
	var s Stage
	for _, bar := range h.Distribution() {
		if bar.Count > 0 {
			s.Values = append(s.Values, bar.From)
			s.Counts = append(s.Counts, bar.Count)
		}
	}
	return s
}

// Histogram makes the record's histogram. Values out of range, counts that
// are not positive and lists of different lengths are errors.
func (s Stage) Histogram() (results.Histogram, error) {
	if s.Counts != nil && len(s.Counts) != len(s.Values) {
		return results.Histogram{}, fmt.Errorf("%d values_ns and %d counts", len(s.Values), len(s.Counts))
	}
	h := hdrhistogram.New(recorder.Lowest, recorder.Highest, recorder.SignificantFigures)
	for i, v := range s.Values {
		count := int64(1)
		if s.Counts != nil {
			count = s.Counts[i]
		}
		if v < 0 || v > recorder.Highest || count < 1 {
			return results.Histogram{}, fmt.Errorf("value %d ns, count %d; allowed: 0 to %d ns, at least 1", v, count, recorder.Highest)
		}
		if err := h.RecordValues(v, count); err != nil {
			return results.Histogram{}, err
		}
	}
	return results.NewHistogram(h)
}
