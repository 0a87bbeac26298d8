package experiment

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"floodgate/scenarios"
)

// scraperOf returns a scraper of a server that answers with a text.
func scraperOf(t *testing.T, handler http.HandlerFunc, series ...string) *scraper {
	t.Helper()
	server := httptest.NewServer(handler)
	h := &httpService{addr: strings.TrimPrefix(server.URL, "http://"), scenario: &scenarios.Scenario{
		SUT: scenarios.SUT{Metrics: &scenarios.Scrape{Path: "/metrics", Series: series}}, Service: &scenarios.Service{},
	}}
	s, err := h.newScraper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.transport.CloseIdleConnections(); server.Close() })
	return s
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

func TestScrapeAnswers(t *testing.T) {
	for want, handler := range map[string]http.HandlerFunc{
		"answers 404 Not Found; name the path": http.NotFound,
		"answers 302 Found": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		},
		`does not answer in Prometheus' text format (Content-Type "text/html; charset=utf-8"): text format parsing error in line 1`: text("<!DOCTYPE html><p>Hello"),
		"text format parsing error":         text(`{"status": "up"}`),
		"no metric found":                   text("\n# a comment\n"),
		"answers more than 16 MiB":          func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxScrape+1)) },
		"text format parsing error in line": text("up 1"), // cut off
	} {
		s := scraperOf(t, handler, "up")
		if err := s.await(t.Context(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// A service that does not answer is said not to.
func TestScrapeWithoutAnswer(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	s := scraperOf(t, text("up 1\n"), "up")
	if err := s.await(ctx, nil); err == nil || err.Error() != "GET "+s.url+": no answer in time" {
		t.Errorf("error %v", err)
	}
}

// TestScrapes shows what is recorded of scrapes, some of which fail.
func TestScrapes(t *testing.T) {
	n := 0
	s := scraperOf(t, func(w http.ResponseWriter, _ *http.Request) {
		n++
		switch n {
		case 2:
			http.Error(w, "too many open files", http.StatusServiceUnavailable)
		default:
			fmt.Fprintf(w, `# TYPE busy gauge
busy %d
# TYPE requests_total counter
requests_total{code="200",path="/a"} %d
requests_total{code="200",path="/b"} 10
requests_total{code="500",path="/b"} 3
ratio %s
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.1"} 4
wait_seconds_bucket{le="+Inf"} 6
wait_seconds_sum 1.5
wait_seconds_count 6
`, n, 100*n, []string{"", "NaN", "", "0.25"}[min(n, 3)])
		}
	}, "busy", `requests_total{code="200"}`, "ratio", `wait_seconds_bucket{le="0.1"}`, "wait_seconds_sum", `requests_total{code="201"}`, "bussy", "nothing_like_it")
	for i := range 3 {
		all, err := s.get(t.Context())
		s.add(time.Duration(i)*time.Second, all, err)
	}
	metrics, warnings := s.result()
	for name, want := range map[string]string{
		"busy": "[0 2000] [1 3]", `requests_total{code="200"}`: "[0 2000] [110 310]", "ratio": "[2000] [0.25]",
		`wait_seconds_bucket{le="0.1"}`: "[0 2000] [4 4]", "wait_seconds_sum": "[0 2000] [1.5 1.5]",
	} {
		if got := fmt.Sprint(metrics[name].At, metrics[name].Values); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if len(metrics) != 5 {
		t.Errorf("metrics %v", metrics)
	}
	want := []string{
		"1 of 3 scrapes of /metrics failed, the first one with: GET " + s.url + " answers 503 Service Unavailable; name the path of the service's metrics as sut.metrics.path",
		`/metrics never had a value of requests_total{code="201"} (did you mean requests_total{code="200", path="/a"}?)`,
		"/metrics never had a value of bussy (did you mean busy?)",
		"/metrics never had a value of nothing_like_it",
	}
	if !slices.Equal(warnings, want) {
		t.Errorf("warnings\n%q, want\n%q", warnings, want)
	}
}

// TestScrapeDefaults shows that without a choice what is there of the usual metrics is
// recorded, and only the lack of all is worth a warning.
func TestScrapeDefaults(t *testing.T) {
	for body, want := range map[string]string{
		"go_goroutines 7\n": "map[go_goroutines:{[0] [7]}] []",
		"up 1\n":            "map[] [/metrics has none of go_goroutines, process_open_fds, process_resident_memory_bytes, process_cpu_seconds_total; name others as sut.metrics.series]",
	} {
		s := scraperOf(t, text(body))
		all, err := s.get(t.Context())
		s.add(0, all, err)
		metrics, warnings := s.result()
		if got := fmt.Sprint(metrics, " ", warnings); got != want {
			t.Errorf("%q: %s, want %s", body, got, want)
		}
	}
}

// TestScraperKeepsOneConnection shows that scrapes do not open connections by and by.
func TestScraperKeepsOneConnection(t *testing.T) {
	peers := map[string]bool{}
	s := scraperOf(t, func(w http.ResponseWriter, r *http.Request) {
		peers[r.RemoteAddr] = true
		_, _ = io.WriteString(w, "up 1\n")
	}, "up")
	for range 5 {
		if _, err := s.get(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(peers) != 1 {
		t.Errorf("connections %v, want one", peers)
	}
}

// TestScrapeEndsWithTheTotals shows that the last value is the one at the end, however
// long before it the ticker scraped.
func TestScrapeEndsWithTheTotals(t *testing.T) {
	var total atomic.Int64
	s := scraperOf(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "done_total %d\n", total.Load()) }, "done_total")
	stop := s.start(time.Now())
	total.Store(500)
	stop()
	metrics, warnings := s.result()
	values := metrics["done_total"].Values
	if len(warnings) != 0 || len(values) == 0 || values[len(values)-1] != 500 {
		t.Errorf("values %v, warnings %q, want 500 at the end", values, warnings)
	}
}
