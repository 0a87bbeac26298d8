package cli

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

	"floodgate/bench/cli/command"
	"floodgate/bench/metrics"
	"floodgate/results"
	"floodgate/results/verdict"
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

// figures returns the samples of a scrape, with their labels as text; nil means that
// nothing answers.
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

// The endpoint shows a running service; at the end of each trial its counters agree with
// the records.
func TestMetricsAgreeWithRecords(t *testing.T) {
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
	o := runOptions{metrics: server, root: t.TempDir(), stdout: &out, Notes: command.Notes{Stderr: &out}, environment: command.EnvironmentFlags{Kind: "embedded", MongoImage: command.DefaultMongoImage}}
	ended := make(chan int)
	go func() {
		err := o.newRun(t.Context(), s, nil)
		if !command.IsVerdict(err) {
			t.Error(err)
		}
		ended <- command.CodeOf(err)
	}()
	seen := map[string]bool{}
	for running := true; running; {
		for name := range figures(t, server.URL()) {
			name, _, _ = strings.Cut(name, "{")
			seen[name] = true
		}
		select {
		case code := <-ended:
			if running = false; code == verdict.ExitMisused {
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
	if !run.Complete || len(run.Trials) != 12 {
		t.Errorf("complete %v with %d trials of 12\n%s", run.Complete, len(run.Trials), &out)
	}
	compareFigures(t, run, figures(t, server.URL()))
}

// compareFigures compares counters with records. Discarded attempts are counted but not
// recorded in full, so the counters of a variant with such attempts are only bounded from
// below by the records.
func compareFigures(t *testing.T, run *results.Run, now map[string]float64) {
	t.Helper()
	want, discarded := map[string]float64{}, map[string]int{}
	for _, r := range run.Trials {
		discarded[r.Variant] += len(r.Discarded)
		by := fmt.Sprintf(`level="%s", %%sscenario="watched", %%svariant="%s"}`, r.LevelName, r.Variant)
		add := func(name, before, after string, n int) {
			want["floodgate_"+name+"{"+fmt.Sprintf(by, before, after)] += float64(n)
		}
		v := r.Service
		add("trials_total", fmt.Sprintf("outcome=%q, ", r.Outcome), "", 1)
		add("reports_due_total", "", "", v.Due)
		add("reports_done_total", "", "", v.OK)
		add("reports_failed_total", "", "", v.Ended-v.OK)
		add("response_seconds_count", "", "", int(v.Response.Count))
		for name, n := range v.Errors {
			add("report_errors_total", "", fmt.Sprintf("type=%q, ", name), n)
		}
		shed := v.Series.Columns[results.ColumnShed]
		add("reports_shed_total", "", "", int(shed[len(shed)-1]))
	}
	for name, n := range want {
		more := 0
		for variant := range discarded {
			if strings.Contains(name, fmt.Sprintf("variant=%q", variant)) {
				more = discarded[variant]
			}
		}
		if got, ok := now[name]; !ok || got < n || got > n && more == 0 {
			t.Errorf("%s: %v, the records say %v, without %d tries that were discarded", name, got, n, more)
		}
	}
	if t.Failed() {
		t.Log(now)
	}
}

// announced forwards its input until it names the endpoint.
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

// The endpoint of a run of items counts trials, and ends with the run.
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
	report := writerFunc(func(p []byte) (int, error) { // the report is printed after all trials
		if url == "" {
			url = <-urls
			last = figures(t, url)
		}
		return len(p), nil
	})
	if code := run(t.Context(), []string{"run", scenario, "--env", "embedded", "--out", t.TempDir(), "--metrics", "0"}, report, stderr); code != verdict.ExitPassed {
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

// A port that is in use is an error before anything starts.
func TestMetricsPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	var out bytes.Buffer
	code := run(context.Background(), []string{"run", "service", "--out", filepath.Join(dir, "runs"), "--metrics", taken.Addr().String()}, &out, &out)
	if code != verdict.ExitNotMeasured {
		t.Errorf("exit code %d, want %d", code, verdict.ExitNotMeasured)
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
