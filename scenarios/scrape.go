package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"floodgate/mockupstream/strictyaml"
)

// Scrape describes the metrics of an HTTP service that join its time series, in
// Prometheus' text format. The service answers at Path of the address that it is
// loaded at, once a second.
type Scrape struct {
	// Path begins with a slash. Default "/metrics".
	Path string `yaml:"path,omitempty,short" json:"path,omitempty"`
	// Series lists what joins the time series, each as [ParseSelector] reads it. Empty
	// means [DefaultSeries].
	Series []string `yaml:"series,omitempty" json:"series,omitempty"`
}

// DefaultMetricsPath is the default of Scrape.Path.
const DefaultMetricsPath = "/metrics"

// DefaultSeries returns the series that a scrape without Series chooses, as far as the
// service has them: those that Prometheus' client libraries offer by themselves.
func DefaultSeries() []string {
	return []string{"go_goroutines", "process_open_fds", "process_resident_memory_bytes", "process_cpu_seconds_total"}
}

// Chosen returns Series, or their default.
func (s Scrape) Chosen() []string {
	if len(s.Series) == 0 {
		return DefaultSeries()
	}
	return s.Series
}

// Selector chooses series of metrics by name and labels.
type Selector struct{ want model.Metric }

// ParseSelector parses the name of a metric, followed by labels if need be:
//
//	http_in_flight
//	http_requests_total{code="200"}
//
// A series matches that has the name and each of the labels, and perhaps others.
func ParseSelector(text string) (Selector, error) {
	wrong := fmt.Errorf(`must be the name of a metric, with labels if need be, such as http_requests_total{code="200"} (got %s)`, strictyaml.Quote(text))
	if strings.Contains(text, "\n") {
		return Selector{}, wrong
	}
	// A line of the text format is a selector, a value and perhaps a time.
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text + " 0\n"))
	if err != nil || len(families) != 1 {
		return Selector{}, wrong
	}
	for _, f := range families {
		samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.Latest}, f)
		if err != nil || len(samples) != 1 || samples[0].Timestamp != model.Latest {
			return Selector{}, wrong
		}
		return Selector{samples[0].Metric}, nil
	}
	return Selector{}, wrong
}

// Name returns the name of the metric.
func (s Selector) Name() string { return string(s.want[model.MetricNameLabel]) }

// Matches reports whether a series is chosen.
func (s Selector) Matches(m model.Metric) bool {
	for name, value := range s.want {
		if m[name] != value {
			return false
		}
	}
	return true
}

// metrics checks what is scraped of an HTTP service.
func (c *checker) metrics() {
	m := c.s.SUT.Metrics
	if m == nil {
		return
	}
	if !strings.HasPrefix(m.Path, "/") {
		c.report("sut.metrics", "must be a path that begins with a slash (got %s)", strictyaml.Quote(m.Path))
	}
	for i, text := range m.Series {
		path := strictyaml.Index("sut.metrics.series", i)
		if _, err := ParseSelector(text); err != nil {
			c.report(path, "%v", err)
		} else if slices.Index(m.Series, text) < i {
			c.report(path, "repeats %s", strictyaml.Quote(text))
		}
	}
}
