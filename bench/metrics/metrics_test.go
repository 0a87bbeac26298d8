package metrics_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"floodgate/bench/experiment"
	"floodgate/bench/load"
	"floodgate/bench/metrics"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T) *metrics.Server {
	t.Helper()
	s, err := metrics.Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// scrape requests the metrics like Prometheus, without keeping the connection open.
func scrape(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(text)
}

func expect(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains(text, "\n"+l+"\n") {
			name, _, _ := strings.Cut(l, "{")
			t.Errorf("no line %q; there is:\n%s", l, find(text, name))
		}
	}
}

func find(text, name string) string {
	var found []string
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, name) {
			found = append(found, l)
		}
	}
	return strings.Join(found, "")
}

// Counters continue across trials, repeated attempts and late Lives; gauges end with
// their trial.
func TestProgress(t *testing.T) {
	s := serve(t)
	defer s.Close()
	p := s.Progress(metrics.Run{ID: "id", Scenario: "service"})
	trial := experiment.ScheduledTrial{Index: 4, Block: 1, Variant: scenarios.Variant{Name: "v"}, Level: scenarios.Level{Name: "items=3"}}
	began := time.Now()
	tell := func(try time.Time, due, ok, failed int, responses ...time.Duration) {
		p.Live(experiment.Live{
			Trial: trial, Began: try, Duration: 5 * time.Second,
			Tick:   sut.Tick{At: time.Second, Ledger: service.Ledger{ReportsInFlight: 3, Shed: failed, Errors: map[string]int{"emfile": 2 * failed}}},
			Counts: load.Counts{Due: due, Ended: ok + failed, OK: ok, Errors: map[string]int64{"http_5xx": int64(failed)}},
			P50:    20 * time.Millisecond, P99: 40 * time.Millisecond, Responses: responses,
			Usage: experiment.Usage{Descriptors: 87, NoFile: 256, Kinds: &results.Kinds{Upstream: 40, Mongo: 30, Other: 17}, RSS: 1 << 20},
		})
	}
	p.Started(6, 2, time.Hour)
	tell(began, 100, 100, 0) // before its trial
	p.TrialStarted(trial, time.Hour)
	tell(began, 10, 4, 1, 30*time.Millisecond, 20*time.Millisecond)
	tell(began, 20, 8, 3, time.Second)
	again := began.Add(time.Second)
	tell(again, 7, 5, 1)
	tell(began, 30, 30, 0) // of the first attempt, late
	text := scrape(t, s.URL())
	by := `level="items=3",`
	of := `scenario="service",`
	v := `variant="v"`
	expect(t, text,
		`floodgate_run_info{run="id",scenario="service"} 1`, "floodgate_trials_planned 6", "floodgate_trials_recorded 2",
		`floodgate_trial_info{block="1",`+by+of+`trial="4",`+v+`} 1`,
		`floodgate_reports_due_total{`+by+of+v+"} 27", `floodgate_reports_done_total{`+by+of+v+"} 13",
		`floodgate_reports_failed_total{`+by+of+v+"} 4", `floodgate_reports_shed_total{`+by+of+v+"} 4",
		`floodgate_report_errors_total{`+by+of+`type="http_5xx",`+v+"} 4", `floodgate_item_errors_total{`+by+of+`type="emfile",`+v+"} 8",
		"floodgate_reports_in_flight 3", "floodgate_sut_open_fds 87", "floodgate_sut_max_fds 256",
		`floodgate_sut_open_fds_by_kind{kind="mongo"} 30`, "floodgate_sut_resident_memory_bytes 1.048576e+06",
		"floodgate_response_recent_p99_seconds 0.04", `floodgate_response_seconds_count{`+by+of+v+"} 3",
		`floodgate_response_seconds_bucket{`+by+of+v+`,le="0.025"} 1`, "floodgate_trial_elapsed_seconds 1",
	)
	problems, err := promlint.New(bytes.NewBufferString(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("not as Prometheus wants names and helps: %v, %v", problems, err)
	}
	p.TrialEnded(results.Trial{Variant: "v", LevelName: "items=3", Outcome: results.OutcomeOK, Makespan: 1500 * time.Millisecond, ItemsDone: new(30), ItemsFailed: new(0)}, time.Minute)
	tell(again, 50, 50, 0) // late
	text = scrape(t, s.URL())
	expect(t, text, "floodgate_trials_recorded 3", `floodgate_trials_total{`+by+`outcome="ok",`+of+v+"} 1",
		`floodgate_items_total{`+by+`result="done",`+of+v+"} 30", `floodgate_makespan_seconds{`+by+of+v+"} 1.5",
		`floodgate_reports_due_total{`+by+of+v+"} 27")
	for _, gone := range []string{"floodgate_trial_info", "floodgate_sut_open_fds", "floodgate_reports_in_flight"} {
		if left := find(text, gone); left != "" {
			t.Errorf("after the trial: %s", left)
		}
	}
}

// Close frees the port and closes connections that a scraper keeps open.
func TestClose(t *testing.T) {
	s := serve(t)
	keeps := http.Client{Transport: &http.Transport{}}
	defer keeps.CloseIdleConnections()
	resp, err := keeps.Get(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(resp.Body); !strings.Contains(string(text), "floodgate_harness_process_") {
		t.Logf("nothing of the harness itself on this system:\n%s", text)
	}
	resp.Body.Close()
	addr := strings.TrimSuffix(strings.TrimPrefix(s.URL(), "http://"), "/metrics")
	if _, err := metrics.Serve(context.Background(), addr); err == nil {
		t.Error("two servers on one port")
	}
	if err := s.Close(); err != nil { // although the client keeps its connection
		t.Error(err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal("the port is not free:", err)
	}
	l.Close()
}
