package summary

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/results"
)

// Merge adds up histograms; those without values are left out. Nil: none has
// any. An error: one does not decode, or does not fit the range of the first.
func Merge(histograms []results.Histogram) (*hdrhistogram.Histogram, error) {
	var m merger
	for i, h := range histograms {
		if err := m.add(h); err != nil {
			return nil, fmt.Errorf("histogram %d of %d: %w", i+1, len(histograms), err)
		}
	}
	return m.sum, nil
}
