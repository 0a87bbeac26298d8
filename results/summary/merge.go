package summary

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/results"
)

// Merger merges histograms one by one. The zero value is ready to use.
type Merger struct {
	// Sum is the merged histogram; nil means that there are no values.
	Sum *hdrhistogram.Histogram
}

// Add adds the histogram of one trial. It is an error if the histogram does not
// decode, or does not fit the range of the first.
func (m *Merger) Add(h results.Histogram) error {
	if h.Count == 0 {
		return nil
	}
	dec, err := h.HDR()
	if err != nil {
		return err
	}
	if m.Sum == nil {
		m.Sum = dec
		return nil
	}
	if dropped := m.Sum.Merge(dec); dropped > 0 {
		return fmt.Errorf("%d values lie outside the range of the earlier histograms", dropped)
	}
	return nil
}

func (m *Merger) quantile(percent float64) *time.Duration {
	if m.Sum == nil {
		return nil
	}
	return new(time.Duration(m.Sum.ValueAtQuantile(percent)))
}
