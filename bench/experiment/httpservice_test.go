package experiment_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	_ "net/http/pprof" // which the service serves
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
)

// serviceArg makes the test binary an HTTP service: serviceArg ADDRESS BEHAVIOR.
const serviceArg = "test-http-service"

// httpService serves POST /reports, which fetches from the upstream, until SIGTERM.
func httpService(addr, behavior string) int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	switch behavior {
	case "exits":
		fmt.Fprintln(os.Stderr, "no configuration")
		return 3
	case "ends":
		return 0
	case "elsewhere":
		addr = "127.0.0.1:0"
	}
	note("pid", strconv.Itoa(os.Getpid()))
	note("limit "+addr, os.Getenv("LIMIT"))
	var served atomic.Int64
	var forgotten sync.Map
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "reports_total{code=\"202\",host=\"a\"} %d\nreports_total{code=\"202\",host=\"b\"} 1000\nreports_total{code=\"400\"} 7\n", served.Load())
	})
	http.HandleFunc("POST /reports/{n}", func(w http.ResponseWriter, r *http.Request) {
		n := served.Add(1)
		note("request "+r.Host, r.PathValue("n"))
		if behavior == "fourth" && r.PathValue("n") == "4" {
			os.Exit(7)
		}
		body, _ := io.ReadAll(r.Body)
		if string(body) != "week "+r.PathValue("n") || r.Header.Get("Authorization") != "Bearer "+os.Getenv("TEST_SERVICE_TOKEN") {
			http.Error(w, "what?", http.StatusBadRequest)
			return
		}
		switch behavior {
		case "hot":
			plantedHot()
		case "waits":
			go plantedWait()
		}
		client := http.DefaultClient
		if behavior == "leaks" { // not a client's connection, which net/http may close by itself
			c, err := net.Dial("tcp", strings.TrimPrefix(os.Getenv("UPSTREAM_URL"), "http://"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			forgotten.Store(n, c)
		}
		if behavior == "fresh" {
			client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		}
		if behavior == "dies" && n == 5 {
			os.Exit(7)
		}
		resp, err := client.Get(os.Getenv("UPSTREAM_URL") + "/items/" + r.PathValue("n"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		w.WriteHeader(http.StatusAccepted)
	})
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("the service is listening with", os.Getenv("LIMIT"), "slots")
	go func() { _ = http.Serve(listener, nil) }()
	<-terminated
	if behavior == "ignores" {
		select {}
	}
	return 0
}

// note appends a line to the file that the service may be told to write.
func note(what, value string) {
	path := os.Getenv("TEST_SERVICE_NOTES")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return // the test misses the line
	}
	_, _ = fmt.Fprintln(f, what, value)
	_ = f.Close()
}

// plantedHot takes CPU time.
//
//go:noinline
func plantedHot() {
	sum := int64(0)
	for i := range int64(10_000_000) {
		sum = sum*31 ^ i
	}
	hot.Store(sum)
}

var hot atomic.Int64

// plantedWait never ends.
//
//go:noinline
func plantedWait() { select {} }

const httpServiceScenario = `version: 1
name: own
title: A service of one's own
sut:
  command: ["EXECUTABLE", test-http-service, "{{addr}}", "{{behavior}}"]
  env: {UPSTREAM_URL: "{{upstream.url}}", LIMIT: "{{limit}}"}
  ready: READY
  ready_timeout: 60s
  nofile: 200
service:
  requests:
    - {method: POST, path: "/reports/{{n}}", body: "week {{n}}", headers: {Authorization: "Bearer ${TEST_SERVICE_TOKEN}"}}
  success: [202]
  arrivals: {rate: 100}
  duration: 300ms
  timeout: 60s
  stall: 60s
  recovery: 60s
upstream:
  late_bound: 30s
variants:
  - {name: one, vars: {limit: 10, behavior: BEHAVIOR}}
`

// httpTrial runs one trial of the service with a behavior.
func httpTrial(t *testing.T, behavior, ready string, change func(*scenarios.Scenario)) results.Trial {
	t.Helper()
	return httpTrialOn(t, trials(t), behavior, ready, change)
}

// httpTrialOn is httpTrial with the trials of a run.
func httpTrialOn(t *testing.T, r *experiment.Trials, behavior, ready string, change func(*scenarios.Scenario)) results.Trial {
	t.Helper()
	t.Setenv("TEST_SERVICE_TOKEN", "s3cr3t-t0ken")
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := scenario(t, strings.NewReplacer("EXECUTABLE", executable, "BEHAVIOR", behavior, "READY", ready).Replace(httpServiceScenario))
	if change != nil {
		change(s)
	}
	r.IgnoreLag()
	record, err := r.Run(t.Context(), plan(t, s)[0])
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// TestHTTPService shows that a service gets each request once with its variables
// filled in, that its connections are counted, and that it is ended by SIGTERM.
func TestHTTPService(t *testing.T) {
	for behavior, ready := range map[string]string{"sound": "/healthz", "leaks": `{log: "is listening with 10 slots"}`, "plain": "{tcp: true}"} {
		t.Run(behavior, func(t *testing.T) {
			record := httpTrial(t, behavior, ready, nil)
			if record.Outcome != results.OutcomeOK {
				t.Fatalf("outcome %s: %s", record.Outcome, record.Reason)
			}
			s := record.Service
			if s.Due != 30 || s.OK != 30 || len(s.Errors) > 0 || !s.Recovered {
				t.Errorf("due %d, done %d, errors %v, recovered %v", s.Due, s.OK, s.Errors, s.Recovered)
			}
			if got := record.Upstream.Requests; got != 31 { // one more to see that it recovers
				t.Errorf("the upstream saw %d requests", got)
			}
			if s.Drain == nil || record.ExitCode != 0 {
				t.Errorf("drain %v, exit code %d", s.Drain, record.ExitCode)
			}
			if last, seen := s.Series.Last(results.ColumnDescriptorsUpstream); behavior == "leaks" && (!seen || last < 30) {
				t.Errorf("30 connections to the upstream are never closed, and %d are open at the end", last)
			}
			if _, measured := s.Series.Last(results.ColumnGoroutines); measured {
				t.Error("goroutines cannot be seen from outside, but have a column")
			}
			if peak, seen := s.Series.Last(results.ColumnPeakInFlight); !seen || peak < 1 || peak > 30 {
				t.Errorf("peak of %d requests in flight, want 1 to 30", peak)
			}
			if own := s.Series.Columns[results.ColumnOwnDescriptors]; runtime.GOOS == "linux" && !slices.ContainsFunc(own, func(n int64) bool { return n > 0 }) {
				t.Errorf("descriptors without those of clients: %v, want some", own)
			}
		})
	}
}

// TestHTTPServiceFailures shows that each way in which a service fails is named, and
// that its secrets are not.
func TestHTTPServiceFailures(t *testing.T) {
	short := func(s *scenarios.Scenario) { s.SUT.ReadyTimeout = scenarios.Duration(300 * time.Millisecond) }
	for name, test := range map[string]struct {
		behavior, ready string
		change          func(*scenarios.Scenario)
		outcome, want   string
		warning         bool
	}{
		"exits":     {behavior: "exits", ready: "/healthz", outcome: results.OutcomeCrashed, want: `ended with exit status 3 before it was ready, got "no configuration" on standard error`},
		"ends":      {behavior: "ends", ready: "/healthz", outcome: results.OutcomeCrashed, want: "it must stay in the foreground"},
		"elsewhere": {behavior: "elsewhere", ready: "/healthz", change: short, outcome: results.OutcomeFailed, want: "the service was not ready on 127.0.0.1:"},
		"silent":    {behavior: "sound", ready: "{log: never written}", change: short, outcome: results.OutcomeFailed, want: `no line of its output contains "never written"`},
		"status":    {behavior: "sound", ready: "/missing", change: func(s *scenarios.Scenario) { s.SUT.ReadyTimeout = scenarios.Duration(3 * time.Second) }, outcome: results.OutcomeFailed, want: "/missing answers 404 Not Found"},
		"dies":      {behavior: "dies", ready: "/healthz", outcome: results.OutcomeCrashed, want: "the service ended with exit status 7 under load"},
		"ignores": {behavior: "ignores", ready: "/healthz", change: func(s *scenarios.Scenario) { s.SUT.Timeout = scenarios.Duration(100 * time.Millisecond) },
			outcome: results.OutcomeOK, want: "had not ended 100ms after SIGTERM (sut.timeout) and was killed", warning: true},
		"unset": {behavior: "sound", ready: "/healthz", change: func(s *scenarios.Scenario) { s.SUT.Env["MORE"] = "${FLOODGATE_TEST_UNSET}" },
			outcome: results.OutcomeFailed, want: "sut.env.MORE: the environment variable FLOODGATE_TEST_UNSET is not set"},
		"secret": {behavior: "sound", ready: "/healthz", change: func(s *scenarios.Scenario) { s.SUT.Command[0] = "/missing/${TEST_SERVICE_TOKEN}" },
			outcome: results.OutcomeCrashed, want: "/missing/***"},
	} {
		t.Run(name, func(t *testing.T) {
			record := httpTrial(t, test.behavior, test.ready, test.change)
			text := record.Reason
			if test.warning {
				text = strings.Join(record.Warnings, "\n")
			}
			if record.Outcome != test.outcome || !strings.Contains(text, test.want) {
				t.Errorf("outcome %s, %q; want %s, %q", record.Outcome, text, test.outcome, test.want)
			}
			if whole := fmt.Sprintf("%+v", record); strings.Contains(whole, "s3cr3t") {
				t.Errorf("the record holds the secret: %s", whole)
			}
		})
	}
}

// TestHTTPServiceThatRuns shows that a service that runs already is found by its port and
// by its number, is loaded and watched, and goes on afterwards.
func TestHTTPServiceThatRuns(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the process that listens on a port is found on Linux alone")
	}
	t.Setenv("TEST_SERVICE_TOKEN", "s3cr3t-t0ken")
	addr, err := sut.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	r := trials(t)
	r.IgnoreLag()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	service := exec.Command(executable, serviceArg, addr, "fresh")
	service.Env = append(os.Environ(), "UPSTREAM_URL="+r.Environment.UpstreamURL())
	output, err := service.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = service.Process.Kill()
		_ = service.Wait()
	}()
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil { // it listens
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(addr, ":")
	for name, which := range map[string]string{"port": "{port: " + port + "}", "pid": fmt.Sprintf("{pid: %d}", service.Process.Pid)} {
		t.Run(name, func(t *testing.T) {
			text := httpServiceScenario[:strings.Index(httpServiceScenario, "sut:")] + "sut: " + which + "\n" +
				httpServiceScenario[strings.Index(httpServiceScenario, "service:"):strings.Index(httpServiceScenario, "upstream:")]
			record, err := r.Run(t.Context(), plan(t, scenario(t, text))[0])
			if err != nil || record.Outcome != results.OutcomeOK {
				t.Fatalf("outcome %s: %s, %v", record.Outcome, record.Reason, err)
			}
			if s := record.Service; s.Due != 30 || s.OK != 30 || s.Drain != nil {
				t.Errorf("%d due, %d done, drain %v", s.Due, s.OK, s.Drain)
			}
			if record.Descriptors.Limit == 0 || record.Descriptors.Baseline == 0 {
				t.Errorf("descriptors %+v", record.Descriptors)
			}
			if _, known := record.Service.Series.Last(results.ColumnDescriptorsUpstream); known {
				t.Error("connections to its upstream are counted, whose address is unknown")
			}
		})
	}
	if err := dial(addr); err != nil {
		t.Errorf("the service does not go on: %v", err)
	}
}

func dial(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// TestHTTPServiceMetrics shows that chosen metrics join the time series, that scrapes
// count neither as requests nor as connections that stay, and what is said of those that
// are not there.
func TestHTTPServiceMetrics(t *testing.T) {
	const sum, other = `reports_total{code="202"}`, `reports_total{code="4000"}`
	scrape := func(path string, series ...string) results.Trial {
		return httpTrial(t, "sound", "/healthz", func(s *scenarios.Scenario) { s.SUT.Metrics = &scenarios.Scrape{Path: path, Series: series} })
	}
	record := scrape("/metrics", sum, "reports_totl", other)
	if record.Outcome != results.OutcomeOK {
		t.Fatalf("outcome %s: %s", record.Outcome, record.Reason)
	}
	metrics := record.Service.Series.Metrics
	m := metrics[sum]
	if len(metrics) != 1 || len(m.Values) == 0 || len(m.At) != len(m.Values) || m.Values[0] < 1000 || m.Values[0] > 1031 {
		t.Errorf("metrics %+v, want the sum of both hosts", metrics)
	}
	if record.Service.Due != 30 || record.Service.OK != 30 || record.Upstream.Requests != 31 {
		t.Errorf("due %d, done %d, upstream %d", record.Service.Due, record.Service.OK, record.Upstream.Requests)
	}
	for i, warning := range []string{
		`/metrics never had a value of reports_totl (did you mean reports_total?)`,
		`/metrics never had a value of reports_total{code="4000"} (did you mean reports_total{code="400"}?)`,
	} {
		if len(record.Warnings) != 2 || record.Warnings[i] != warning {
			t.Errorf("warnings %q, want %q", record.Warnings, warning)
		}
	}
	if record := scrape("/metrix", sum); record.Outcome != results.OutcomeFailed || !record.NotReady ||
		!strings.Contains(record.Reason, "sut.metrics: GET http://127.0.0.1:") || !strings.Contains(record.Reason, "/metrix answers 404 Not Found; name the path") {
		t.Errorf("outcome %s: %s", record.Outcome, record.Reason)
	}
}

// elsewhereScenario is of a service on another host, whose kinds of requests differ in
// their status.
const elsewhereScenario = `version: 1
name: elsewhere
title: A service on another host
sut: {port: PORT, host: example.test, ready_timeout: 60s}
service:
  requests:
    - {path: "/good/{{n}}"}
    - {method: POST, path: "/bad/{{n}}"}
  arrivals: {rate: 100}
  duration: 300ms
  timeout: 60s
  recovery: 60s
`

// TestHTTPServiceElsewhere shows that a service on another host is loaded where it is
// allowed, that what is not seen of it is unknown and not zero, and that kinds of requests
// are recorded apart.
func TestHTTPServiceElsewhere(t *testing.T) {
	var bad atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/bad/") {
			bad.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	trial := func(host string, within time.Duration) results.Trial {
		s := scenario(t, strings.Replace(elsewhereScenario, "PORT", port, 1))
		s.SUT.Host, s.SUT.ReadyTimeout = host, scenarios.Duration(within)
		r := experiment.NewTrials(environment.None{}, executable, t.Name())
		r.IgnoreLag()
		record, err := r.Run(t.Context(), plan(t, s)[0])
		if err != nil {
			t.Fatal(err)
		}
		return record
	}
	record := trial("localhost", time.Minute) // which leads to the server as another host does
	d := record.Descriptors
	if record.Outcome != results.OutcomeOK || record.Service.Due != 30 || d.Samples > 0 || d.Peak > 0 || d.Endpoints != nil || record.Service.Drain != nil || record.Resources.PeakRSS > 0 {
		t.Errorf("%s %s, %+v, descriptors %+v", record.Outcome, record.Reason, record.Service, d)
	}
	if len(record.Warnings) != 1 || !strings.Contains(record.Warnings[0], "descriptors, memory and CPU time are unknown") {
		t.Errorf("warnings %q", record.Warnings)
	}
	for _, column := range []results.Column{results.ColumnDescriptors, results.ColumnRefused, results.ColumnThreads} {
		if values, known := record.Service.Series.Columns[column]; known {
			t.Errorf("%s: %v", column, values)
		}
	}
	kinds := record.Service.Requests
	if len(kinds) != 2 || kinds[0].Name != "GET /good/{{n}}" || kinds[1].Name != "POST /bad/{{n}}" {
		t.Fatalf("kinds %+v", kinds)
	}
	good, poor := kinds[0], kinds[1]
	if good.Ended+poor.Ended != 30 || good.OK != good.Ended || poor.OK != 0 || int64(poor.Ended) > bad.Load() || poor.Errors["http_5xx"] != poor.Ended || good.Response.Count != int64(good.Ended) || poor.ServiceTime.P99 <= 0 {
		t.Errorf("good %+v, bad %+v", good, poor)
	}
	refused := trial("203.0.113.5", 100*time.Millisecond) // to which nothing is ever sent
	if refused.Outcome != results.OutcomeFailed || !strings.Contains(refused.Reason, "--allow-target 203.0.113.5") {
		t.Errorf("%s: %s", refused.Outcome, refused.Reason)
	}
}
