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

// Measurement holds the metrics of the batches of a benchmark. [Run] and [Pipeline]
// report one; benchmarks that measure by other means can fill in their own.
type Measurement struct {
	// Batches is the number of measured batches, at least 1.
	Batches int
	// Latency of the items of all batches, in nanoseconds; nil means that it was not measured.
	Latency *hdrhistogram.Histogram
	// Errors is the number of failed items of all batches.
	Errors int
	// Peak is the highest number of open descriptors; nil means that they were not counted.
	Peak *int
	// Leaked is the number of descriptors that all batches left open; nil means that
	// they were not counted.
	Leaked *int
}

// Report reports the metrics of m: p50-ns and p99-ns of the items' latency, peak-fds,
// and leaked-fds and errors of a batch in the mean. It leaves out those that were not
// measured. Call it after the last [testing.B.Loop], which resets metrics.
func (m Measurement) Report(b *testing.B) {
	batches := float64(max(1, m.Batches))
	if m.Latency != nil {
		b.ReportMetric(float64(m.Latency.ValueAtQuantile(50)), unitP50)
		b.ReportMetric(float64(m.Latency.ValueAtQuantile(99)), unitP99)
	}
	if m.Peak != nil {
		b.ReportMetric(float64(*m.Peak), unitPeak)
	}
	if m.Leaked != nil {
		b.ReportMetric(float64(*m.Leaked)/batches, unitLeaked)
	}
	b.ReportMetric(float64(m.Errors)/batches, unitErrors)
}
