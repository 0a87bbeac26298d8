package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	service "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// point is a value of a series at a time.
type point struct {
	at    int64 // in ms
	value float64
}

// stub receives OTLP and remote write, and keeps what arrives by series.
type stub struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	series   map[string][]point
	requests []*http.Request
	answer   func(n int, w http.ResponseWriter) bool // answers request n in place of the stub; nil means never
}

func newStub(t *testing.T, answer func(n int, w http.ResponseWriter) bool) *stub {
	t.Helper()
	s := &stub{t: t, series: map[string][]point{}, answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *stub) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	if s.answer != nil && s.answer(len(s.requests), w) {
		return
	}
	switch r.URL.Path {
	case "/v1/metrics":
		s.otlp(r, body)
	case "/api/v1/write":
		s.write(r, body)
	default:
		s.t.Errorf("%s %s", r.Method, r.URL.Path)
	}
}

// received returns the requests so far.
func (s *stub) received() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *stub) put(labels model.Metric, at int64, x float64) {
	key := labels.String()
	if all := s.series[key]; len(all) > 0 && all[len(all)-1].at >= at {
		s.t.Errorf("%s: a sample of %d after one of %d", key, at, all[len(all)-1].at)
	}
	s.series[key] = append(s.series[key], point{at, x})
}

func (s *stub) write(r *http.Request, body []byte) {
	if got := r.Header.Get("Content-Encoding") + " " + r.Header.Get("X-Prometheus-Remote-Write-Version"); got != "snappy 0.1.0" {
		s.t.Errorf("headers %q", got)
	}
	text, err := snappy.Decode(nil, body)
	if err != nil {
		s.t.Error(err)
	}
	var request prompb.WriteRequest
	if err := request.Unmarshal(text); err != nil {
		s.t.Error(err)
	}
	for _, series := range request.Timeseries {
		labels := model.Metric{}
		last := ""
		for _, l := range series.Labels {
			if l.Name <= last {
				s.t.Errorf("label %s after %s", l.Name, last)
			}
			last = l.Name
			labels[model.LabelName(l.Name)] = model.LabelValue(l.Value)
		}
		for _, sample := range series.Samples {
			s.put(labels, sample.Timestamp, sample.Value)
		}
	}
}

func (s *stub) otlp(r *http.Request, body []byte) {
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(strings.NewReader(string(body)))
		if err == nil {
			body, err = io.ReadAll(z)
		}
		if err != nil {
			s.t.Error(err)
		}
	}
	var request service.ExportMetricsServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		s.t.Error(err)
	}
	for _, resource := range request.ResourceMetrics {
		of := attributes(nil, resource.Resource.Attributes)
		of["job"], of["instance"] = of["service.name"], of["service.instance.id"]
		delete(of, "service.name")
		delete(of, "service.instance.id")
		for _, scope := range resource.ScopeMetrics {
			for _, m := range scope.Metrics {
				s.metric(m, of)
			}
		}
	}
}

// attributes returns attributes as labels.
func attributes(base model.Metric, all []*common.KeyValue) model.Metric {
	labels := base.Clone()
	if labels == nil {
		labels = model.Metric{}
	}
	for _, a := range all {
		labels[model.LabelName(a.Key)] = model.LabelValue(a.Value.GetStringValue())
	}
	return labels
}

func (s *stub) metric(m *metrics.Metric, of model.Metric) {
	put := func(name string, all []*common.KeyValue, at uint64, x float64) {
		labels := attributes(of, all)
		labels[model.MetricNameLabel] = model.LabelValue(name)
		s.put(labels, int64(at/1e6), x)
	}
	for _, p := range append(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()...) {
		put(m.Name, p.Attributes, p.TimeUnixNano, p.GetAsDouble())
		if m.GetSum() != nil && (p.StartTimeUnixNano == 0 || p.StartTimeUnixNano > p.TimeUnixNano) {
			s.t.Errorf("%s starts at %d and has a point at %d", m.Name, p.StartTimeUnixNano, p.TimeUnixNano)
		}
	}
	for _, p := range m.GetHistogram().GetDataPoints() {
		put(m.Name+"_count", p.Attributes, p.TimeUnixNano, float64(p.Count))
		put(m.Name+"_sum", p.Attributes, p.TimeUnixNano, p.GetSum())
	}
	if m.GetExponentialHistogram() != nil {
		s.t.Errorf("%s has native buckets", m.Name)
	}
}

// last returns the last values of the series of a metric, by their labels without name,
// job and instance.
func (s *stub) last(name string) map[string]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]float64{}
	for text, points := range s.series {
		labels, ok := strings.CutPrefix(text, name)
		if !ok || labels != "" && labels[0] != '{' {
			continue
		}
		var rest []string
		for _, l := range strings.Split(strings.Trim(labels, "{}"), ", ") {
			if !strings.HasPrefix(l, "job=") && !strings.HasPrefix(l, "instance=") {
				rest = append(rest, l)
			}
		}
		x := points[len(points)-1].value
		if value.IsStaleNaN(x) {
			x = math.Inf(-1) // ended
		}
		found[strings.Join(rest, ", ")] = x
	}
	return found
}

// sum returns the sum of the last values of a metric.
func (s *stub) sum(name string) float64 {
	sum := 0.0
	for _, x := range s.last(name) {
		sum += x
	}
	return sum
}

func (s *stub) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	for series, points := range s.series {
		fmt.Fprintln(&text, series, points)
	}
	return text.String()
}
