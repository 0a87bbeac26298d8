package harness

import (
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The units of a Measurement.
const (
	unitP50    = "p50-ns"
	unitP99    = "p99-ns"
	unitPeak   = "peak-fds"
	unitLeaked = "leaked-fds"
	unitErrors = "errors"
)

// measured returns the units of a Measurement.
func measured() Units { return Lower(unitP50, unitP99, unitPeak, unitLeaked, unitErrors) }

// Measurement holds the metrics of a benchmark whose operation is a batch of items. [Run]
// and [Pipeline] report one; benchmarks that measure by other means can fill in their own.
type Measurement struct {
	// Latency of the items of all batches, in nanoseconds; nil means that it was not measured.
	Latency *hdrhistogram.Histogram
	// Errors is the number of failed items of a batch in the mean.
	Errors float64
	// Peak is the highest number of open descriptors; nil means that they were not counted.
	Peak *int
	// Leaked is the number of descriptors that a batch left open in the mean; nil means
	// that they were not counted.
	Leaked *float64
}

// Report reports the metrics of m, p50-ns and p99-ns of the latency, peak-fds, leaked-fds
// and errors, without those that were not measured. Call it after the last
// [testing.B.Loop], which resets metrics.
func (m Measurement) Report(b *testing.B) {
	if m.Latency != nil {
		b.ReportMetric(float64(m.Latency.ValueAtQuantile(50)), unitP50)
		b.ReportMetric(float64(m.Latency.ValueAtQuantile(99)), unitP99)
	}
	if m.Peak != nil {
		b.ReportMetric(float64(*m.Peak), unitPeak)
	}
	if m.Leaked != nil {
		b.ReportMetric(*m.Leaked, unitLeaked)
	}
	b.ReportMetric(m.Errors, unitErrors)
}
