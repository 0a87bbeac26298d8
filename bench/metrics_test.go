package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"floodgate/bench/metrics"
	"floodgate/results"
	"floodgate/scenarios"
)

const watchedScenario = `version: 1
name: watched
title: Watched
seed: 7
items: {kind: phone-numbers}
service: {report_items: 2, arrivals: {rate: 100}, duration: 300ms}
upstream:
  latency: {distribution: constant, value: 20ms}
sut: {nofile: 64}
variants:
  - {strategy: bounded, limit: 10}
  - {name: turned-away, strategy: bounded, limit: 1, scope: shared, waiting: 2}
levels:
  - sut.nofile: 64
blocks: 6
`

// figures are the samples of a scrape, with their labels as text; nil: nobody answers.
func figures(t *testing.T, url string) map[string]float64 {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := client.Get(url)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Error(err)
	}
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, slices.Collect(maps.Values(families))...)
	if err != nil {
		t.Error(err)
	}
	found := map[string]float64{}
	for _, s := range samples {
		found[s.Metric.String()] = float64(s.Value)
	}
	return found
}

// While a service runs, the endpoint shows it; at the end of each trial its
// counters are those of the records.
func TestMetricsAgreeWithRecords(t *testing.T) {
	for range 4 { // a trial that is run again counts twice, and no record says by how much
		if agreeWithRecords(t) {
			return
		}
	}
	t.Error("the machine is too busy: in each of four runs a trial was run again")
}

// agreeWithRecords compares a run's counters with its records; false: a trial was run again.
func agreeWithRecords(t *testing.T) bool {
	t.Helper()
	s, err := scenarios.Parse("watched.yaml", []byte(watchedScenario))
	if err != nil {
		t.Fatal(err)
	}
	server, err := metrics.Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var out bytes.Buffer
	o := runOptions{metrics: server, root: t.TempDir(), stdout: &out, stderr: &out, environment: environmentFlags{kind: "embedded", mongoImage: defaultMongoImage}}
	ended := make(chan int)
	go func() {
		code, err := o.newRun(t.Context(), s, nil)
		if err != nil {
			t.Error(err)
		}
		ended <- code
	}()
	seen := map[string]bool{}
	for running := true; running; {
		for name := range figures(t, server.URL()) {
			name, _, _ = strings.Cut(name, "{")
			seen[name] = true
		}
		select {
		case code := <-ended:
			if running = false; code != exitHeld {
				t.Fatalf("exit code %d\n%s", code, &out)
			}
		case <-time.After(50 * time.Millisecond):
		}
	}
	for _, name := range []string{"trial_info", "sut_open_fds", "sut_goroutines", "reports_in_flight", "response_recent_p99_seconds", "run_left_seconds"} {
		if !seen["floodgate_"+name] {
			t.Errorf("%s was never seen", name)
		}
	}
	stored, err := filepath.Glob(filepath.Join(o.root, "*"))
	if err != nil || len(stored) != 1 {
		t.Fatal(stored, err)
	}
	run, err := results.Open(stored[0])
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(run.Trials, func(r results.Trial) bool { return len(r.Discarded) > 0 }) {
		return false
	}
	compareFigures(t, run, figures(t, server.URL()))
	return true
}

func compareFigures(t *testing.T, run *results.Run, now map[string]float64) {
	t.Helper()
	want := map[string]float64{}
	for _, r := range run.Trials {
		by := fmt.Sprintf(`level="%s", %%sscenario="watched", %%svariant="%s"}`, r.LevelName, r.Variant)
		add := func(name, before, after string, n int) {
			want["floodgate_"+name+"{"+fmt.Sprintf(by, before, after)] += float64(n)
		}
		v := r.Service
		add("trials_total", `outcome="ok", `, "", 1)
		add("reports_due_total", "", "", v.Due)
		add("reports_done_total", "", "", v.OK)
		add("reports_failed_total", "", "", v.Ended-v.OK)
		add("response_seconds_count", "", "", int(v.Response.Count))
		for name, n := range v.Errors {
			add("report_errors_total", "", fmt.Sprintf("type=%q, ", name), n)
		}
		shed := v.Series.Columns["shed"]
		add("reports_shed_total", "", "", int(shed[len(shed)-1]))
	}
	for name, n := range want {
		if got, ok := now[name]; !ok || got != n {
			t.Errorf("%s: %v, the records say %v", name, got, n)
		}
	}
	if t.Failed() {
		t.Log(now)
	}
}

// announced passes on what is written until it names the endpoint.
type announced struct {
	mu   sync.Mutex
	text bytes.Buffer
	urls chan string
}

var endpoint = regexp.MustCompile(`metrics: (http://\S+/metrics)\n`)

func (a *announced) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.text.Write(p)
	if found := endpoint.FindSubmatch(a.text.Bytes()); found != nil && a.urls != nil {
		a.urls <- string(found[1])
		a.urls = nil
	}
	return len(p), nil
}

// writerFunc is a function as an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// The endpoint of a run that is no service counts trials, and ends with the run.
func TestMetricsOfARun(t *testing.T) {
	scenario := filepath.Join(t.TempDir(), "small.yaml")
	text := `version: 1
name: small
title: Small
seed: 7
items: {kind: phone-numbers, count: 5}
upstream: {latency: {distribution: constant, value: 1ms}}
variants: [{strategy: bounded, limit: 5}]
levels: [{items: 5}]
blocks: 6
`
	if err := os.WriteFile(scenario, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stderr := &announced{urls: make(chan string, 1)}
	urls := stderr.urls
	url := ""
	var last map[string]float64
	report := writerFunc(func(p []byte) (int, error) { // the report is printed when all trials have ended
		if url == "" {
			url = <-urls
			last = figures(t, url)
		}
		return len(p), nil
	})
	if code := run(t.Context(), []string{"run", scenario, "--env", "embedded", "--out", t.TempDir(), "--metrics", "0"}, report, stderr); code != exitHeld {
		t.Fatalf("exit code %d\n%s", code, &stderr.text)
	}
	trials := last[`floodgate_trials_total{level="items=5", outcome="ok", scenario="small", variant="bounded-5"}`]
	if trials != 6 || last["floodgate_trials_planned"] != 6 {
		t.Errorf("%v trials when the report is printed, of %v; want 6", trials, last["floodgate_trials_planned"])
	}
	if conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics")); err == nil {
		conn.Close()
		t.Error("something still listens on", url)
	}
}

// A port that is taken is said before anything starts.
func TestMetricsPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	var out bytes.Buffer
	code := run(context.Background(), []string{"run", "service", "--out", filepath.Join(dir, "runs"), "--metrics", taken.Addr().String()}, &out, &out)
	if code != exitUnmeasured {
		t.Errorf("exit code %d, want %d", code, exitUnmeasured)
	}
	for _, want := range []string{taken.Addr().String(), "--metrics 0 picks a free port"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("says %q, want %q in it", &out, want)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 || strings.Contains(out.String(), "environment") {
		t.Errorf("something had started: %v\n%s", left, &out)
	}
}
