package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"

	"floodgate/bench/metrics/handoff"
)

// exposed returns the metrics of a registry.
func exposed(r *prometheus.Registry) ([]byte, error) {
	families, err := r.Gather()
	var text bytes.Buffer
	encoder := expfmt.NewEncoder(&text, exposition)
	for _, f := range families {
		err = errors.Join(err, encoder.Encode(f))
	}
	return text.Bytes(), err
}

// newRegistry returns a registry with a counter of 3 and a histogram with one value.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "floodgate_trials_total"})
	c.Add(3)
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "floodgate_response_seconds", Buckets: []float64{1}, NativeHistogramBucketFactor: 1.1})
	h.Observe(0.5)
	r.MustRegister(c, h)
	return r
}

// --scrape pushes the values of a run that others started, with its final ones.
func TestScrape(t *testing.T) {
	registry := newRegistry()
	mux := http.NewServeMux()
	end := make(chan struct{})
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/metrics"+handoff.FinalPath, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-end:
			text, err := exposed(registry)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(text)
		case <-r.Context().Done():
		}
	})
	run := httptest.NewServer(mux)
	defer run.Close()
	s := newStub(t, func(n int, _ http.ResponseWriter) bool {
		if n == 1 { // something has arrived, so it scrapes
			registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "floodgate_late"}, func() float64 { return 1 }))
			close(end)
		}
		return false
	})
	var stderr bytes.Buffer
	if code := execute([]string{"--remote-write", s.URL, "--scrape", run.URL + "/metrics"}, &stderr); code != 0 {
		t.Fatalf("exit code %d\n%s", code, &stderr)
	}
	if s.sum("floodgate_late") != 1 || s.sum("floodgate_trials_total") != 3 || s.sum("floodgate_response_seconds_count") != 1 {
		t.Errorf("%v", s)
	}
	if code := execute([]string{"--remote-write", s.URL, "--scrape", "1"}, &stderr); code != exitUndelivered || !strings.Contains(stderr.String(), "start the run first") {
		t.Errorf("exit code %d\n%s", code, &stderr)
	}
}

// Mistakes are found before the command starts, and no secret is quoted.
func TestMistakes(t *testing.T) {
	t.Setenv("EMPTY", "")
	t.Setenv("LINES", "planted\r\nX: y")
	touch := t.TempDir() + "/started"
	command := []string{"--", "touch", touch}
	for want, args := range map[string][]string{
		"name a receiver":                    {},
		"want a URL like":                    {"--otlp", "planted:4318"},
		"want a URL like http":               {"--otlp", "ftp://planted"},
		"user or password":                   {"--otlp", "http://me:planted@127.0.0.1:4318"},
		"without query":                      {"--remote-write", "http://127.0.0.1:9090/api/v1/write?key=planted"},
		"port from 1":                        {"--otlp", "http://127.0.0.1:0"},
		"use --allow-target 203.0.113.5":     {"--otlp", "http://203.0.113.5:4318"},
		"want HEADER=VARIABLE":               {"--otlp", "http://127.0.0.1:1", "--otlp-header-env", "Authorization"},
		"EMPTY is empty":                     {"--otlp", "http://127.0.0.1:1", "--otlp-header-env", "Authorization=EMPTY"},
		"is not valid in HTTP":               {"--otlp", "http://127.0.0.1:1", "--otlp-header-env", "Authorization=LINES"},
		"needs --remote-write":               {"--otlp", "http://127.0.0.1:1", "--remote-write-header-env", "A=B"},
		"--label \"1=x\"":                    {"--otlp", "http://127.0.0.1:1", "--label", "1=x"},
		"--interval must be at least 100ms":  {"--otlp", "http://127.0.0.1:1", "--interval", "1ms"},
		"--flush must be positive":           {"--otlp", "http://127.0.0.1:1", "--flush", "0s"},
		"--scrape and a command are":         {"--otlp", "http://127.0.0.1:1", "--scrape", "9090"},
		"--allow-target \"http://x\"":        {"--otlp", "http://127.0.0.1:1", "--allow-target", "http://x"},
		"unknown flag: --otpl":               {"--otpl", "http://127.0.0.1:1"},
		"invalid argument \"soon\" for \"--": {"--otlp", "http://127.0.0.1:1", "--flush", "soon"},
	} {
		var stderr bytes.Buffer
		if code := execute(append(args, command...), &stderr); code != exitMisused || !strings.Contains(stderr.String(), want) || strings.Contains(stderr.String(), "planted") {
			t.Errorf("%q: exit code %d, %s, want %q", args, code, &stderr, want)
		}
	}
	for want, args := range map[string][]string{
		"name the command":  {"--otlp", "http://127.0.0.1:1"},
		"start the command": {"--otlp", "http://127.0.0.1:1", "/no/such/program"},
		"on this machine":   {"--otlp", "http://127.0.0.1:1", "--scrape", "http://192.0.2.1:9090/metrics"},
	} {
		var stderr bytes.Buffer
		if code := execute(args, &stderr); code != exitMisused || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q: exit code %d, %s, want %q", args, code, &stderr, want)
		}
	}
	if _, err := os.Stat(touch); err == nil {
		t.Error("the command started")
	}
}

func TestScrapeURL(t *testing.T) {
	for text, want := range map[string]string{
		"9090": "http://127.0.0.1:9090/metrics", ":9090": "http://127.0.0.1:9090/metrics", "localhost:1": "http://localhost:1/metrics",
		"http://127.0.0.1:9090/metrics": "http://127.0.0.1:9090/metrics", "[::1]:2": "http://[::1]:2/metrics",
		"": "", "x": "", "65536": "", "0.0.0.0:1": "", "http://127.0.0.1:9090/": "", "http://a:b@127.0.0.1:1/metrics": "", "https://127.0.0.1:1/metrics": "",
	} {
		if got, err := scrapeURL(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-1": 0, "x": 0, "Mon, 02 Jan 2006 15:04:05 GMT": 0} {
		if got := retryAfter(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// A URL that is accepted is one of HTTP, with a path and without secrets.
func FuzzParseURL(f *testing.F) {
	for _, text := range []string{"http://127.0.0.1:4318", "https://a.example/x", "http://u:p@h", "http://h?q", "//h", "http://[::1]:9/"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parseURL(text, "/v1/metrics")
		if err != nil {
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Path == "" || u.Path == "/" {
			t.Errorf("%q gives %v", text, u)
		}
	})
}

// Text that is not an exposition is an error, never a panic.
func FuzzSnapshot(f *testing.F) {
	f.Add([]byte("floodgate_trials_total 3\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		tr := tracker{source: 1}
		if s, err := tr.snapshot(text, time.Unix(1, 0), false); err == nil {
			writeRequest([]snapshot{s}, map[string]string{"job": "x"})
		}
	})
}

// The help text fits a screen and begins with examples.
func TestHelp(t *testing.T) {
	var text bytes.Buffer
	cmd := newCommand(&options{stderr: &text})
	cmd.SetOut(&text)
	cmd.SetArgs([]string{"--help"})
	if err := cmd.Execute(); err != nil || !strings.HasPrefix(text.String(), "  floodgate push") {
		t.Fatalf("%v\n%s", err, &text)
	}
	if n := strings.Count(text.String(), "\n"); n > 40 {
		t.Errorf("%d lines\n%s", n, &text)
	}
	for line := range strings.Lines(text.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
