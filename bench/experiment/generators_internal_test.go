package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"floodgate/bench/environment"
	"floodgate/bench/environment/target"
	"floodgate/bench/load"
	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results"
	"floodgate/scenarios"
)

// dealtTrial returns a trial of a scenario, whose service is at an address, or whose hosts are
// at addresses that end with their numbers.
func dealtTrial(t testing.TB, text string, allowed ...string) *serviceTrial {
	t.Helper()
	s, err := scenarios.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	schedule, err := Schedule(s)
	if err != nil {
		t.Fatal(err)
	}
	trials := NewTrials(environment.None{Targets: allowed}, "", "run")
	trial := newServiceTrial(trials, schedule[0], &results.Trial{}, schedule[0].Level.Scenario.SUT.HostCount())
	for i := range trial.hosts {
		trial.addHost(&measurement{trials: trials, planned: schedule[0], part: part{host: i}}).base = fmt.Sprintf("http://127.0.0.1:%d", 8080+i)
	}
	if err := trial.prepareGenerators(); err != nil {
		t.Fatal(err)
	}
	return trial
}

// sent returns the attack that a process makes of the specification of a generator.
func sent(t *serviceTrial, generator int) (load.Options, error) {
	text, err := json.Marshal(t.spec(generator).forProcess(t))
	if err != nil {
		return load.Options{}, err
	}
	return LoadOptions(text)
}

const dealtText = `version: 1
name: dealt
title: Requests of several generators
seed: 11
items: {kind: phone-numbers, count: 7}
sut: {command: [service, "{{addr}}"]}
service:
  requests:
    - {method: POST, path: "/reports/{{n}}?team={{team}}", body: '{"phone": "{{item}}", "é": 1}', headers: {X-Version: 1.50, X-Count: 1000000, X-Beta: true, X-Home: "${HOME}"}, weight: 3}
    - {path: /health}
  success: [200, 404]
  connections: {max: 8, keepalive: false}
  generators: 3
  arrivals: {pattern: sine, rate: 100.25, amplitude: 33.3, period: 700ms, poisson: true}
  duration: 2s
  timeout: 3s
variants: [{name: one, vars: {team: 12345678}}]
`

// Each generator sends the requests that the one schedule says: the same method, URL,
// header and body for the same number, at the same times.
func TestGeneratorsMakeTheSameRequests(t *testing.T) {
	t.Setenv("HOME", "/home/tester")
	trial := dealtTrial(t, dealtText)
	one := trial.spec(0).options()
	one.Arrivals.Share = load.Share{}
	var connections, due int
	for i := range 3 {
		o, err := sent(trial, i)
		if err != nil {
			t.Fatal(err)
		}
		connections += o.MaxConns
		due += len(o.Arrivals.Times())
		if want := (load.Share{Index: i, Of: 3}); o.Arrivals.Share != want {
			t.Errorf("generator %d sends %+v", i, o.Arrivals.Share)
		}
		o.Arrivals.Share = load.Share{}
		if !reflect.DeepEqual(o.Arrivals, one.Arrivals) || o.Timeout != 3*time.Second || !o.Fresh || !o.Success(404) || o.Success(201) {
			t.Errorf("generator %d: %+v, want %+v", i, o, one)
		}
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.Uint64Range(0, math.MaxInt64).Draw(t, "number")
			want, err := trial.requests.request(n)
			if got := o.Request(n); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("request %d: %+v, want %+v, %v", n, got, want, err)
			}
		})
	}
	if want := len(one.Arrivals.Times()); due != want || want < 100 || connections != 8 {
		t.Errorf("%d requests of %d are due, and %d connections of 8 allowed", due, want, connections)
	}
	if r, _ := trial.requests.request(0); r.Header.Get("X-Version") != "1.5" && r.Header.Get("X-Version") != "1.50" {
		t.Errorf("header %v", r.Header)
	}
}

// The built-in service gets the same reports.
func TestGeneratorsMakeTheSameReports(t *testing.T) {
	trial := dealtTrial(t, `version: 1
name: dealt
title: Reports of several generators
seed: 5
items: {kind: phone-numbers}
service: {report_items: 4, generators: 2, arrivals: {rate: 10}, duration: 1s}
variants: [{strategy: bounded, limit: 2}]
levels: [{service.arrivals.rate: 10}]
`)
	o, err := sent(trial, 1)
	if err != nil || !slices.Equal(o.URLs, []string{"http://127.0.0.1:8080/reports"}) || o.Request != nil {
		t.Fatalf("%+v, %v", o, err)
	}
	for n := range uint64(100) {
		if got, want := string(o.Body(n)), string(reportBody(trial.scenario, n)); got != want || !strings.Contains(got, "+1555") {
			t.Fatalf("report %d: %s, want %s", n, got, want)
		}
	}
}

// Request k goes to host k mod 4 from every generator, and is otherwise that of one host.
func TestGeneratorsDialTheHostOfEachRequest(t *testing.T) {
	t.Setenv("HOME", "/home/tester")
	one := dealtTrial(t, dealtText)
	trial := dealtTrial(t, strings.Replace(dealtText, "sut: {", "sut: {hosts: 4, ", 1))
	for i := range 3 {
		o, err := sent(trial, i)
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.Uint64Range(0, math.MaxInt64).Draw(t, "number")
			want, err := one.requests.request(n)
			want.URL = strings.Replace(want.URL, ":8080", fmt.Sprintf(":%d", 8080+n%4), 1)
			if got := o.Request(n); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("request %d: %+v, want %+v, %v", n, got, want, err)
			}
			for host := range 4 {
				h := trial.hosts[host]
				if first := h.firstFrom(n); first < n || first >= n+4 || trial.hostOf(first) != h {
					t.Fatalf("the first request from %d on of host %d is %d", n, host, first)
				}
			}
		})
	}
}

// A generator refuses what the trial itself would refuse.
func TestGeneratorsRefuse(t *testing.T) {
	t.Setenv("HOME", "/home/tester")
	elsewhere := dealtTrial(t, dealtText)
	elsewhere.hosts[0].base = "http://192.0.2.1:8080"
	var refused *target.RefusedError
	if _, err := sent(elsewhere, 1); !errors.As(err, &refused) {
		t.Errorf("another host: %v", err)
	}
	allowed := dealtTrial(t, dealtText, "192.0.2.1")
	allowed.hosts[0].base = elsewhere.hosts[0].base
	if _, err := sent(allowed, 1); err != nil {
		t.Errorf("an allowed host: %v", err)
	}
	local, err := sent(dealtTrial(t, dealtText), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := local.Dial(t.Context(), "tcp", "192.0.2.1:80"); !errors.As(err, &refused) {
		t.Errorf("dial another host: %v", err)
	}
	unset := dealtTrial(t, strings.Replace(dealtText, "${HOME}", "${FLOODGATE_TEST_UNSET}", 1))
	if _, err := sent(unset, 1); err == nil || !strings.Contains(err.Error(), "service.requests: the environment variable FLOODGATE_TEST_UNSET is not set") {
		t.Errorf("unset variable: %v", err)
	}
	certificate := dealtTrial(t, strings.Replace(dealtText, "  success:", "  tls: {ca: /missing/ca.pem}\n  success:", 1))
	if _, err := sent(certificate, 1); err == nil || !strings.Contains(err.Error(), "service.tls.ca: ") {
		t.Errorf("missing certificate: %v", err)
	}
	for text, want := range map[string]string{
		`{"scenario": 1}`: "read the specification of a load", `{}`: "has no service", `{"more": 1}`: "unknown field",
		`{"scenario": {"service": {"arrivals": {}, "duration": "1s"}}, "bases": ["http://127.0.0.1:1", "http://[::1"]}`: "missing ']'",
		`{"scenario": {"service": {"arrivals": {}, "duration": "1s"}}}`:                                                 "has no bases",
	} {
		if _, err := LoadOptions([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// A trial is invalid if one of its generators was late, and its reason names it.
func TestLateGeneratorIsNamed(t *testing.T) {
	ok := results.Generator{Ended: 100, Lag: results.Histogram{P50: time.Millisecond}, Uncertainty: time.Millisecond}
	for name, test := range map[string]struct {
		change func(*results.Generator) // of the second of three
		late   int                      // of each of the others
		want   string
	}{
		"in time":     {func(*results.Generator) {}, 0, ""},
		"late":        {func(g *results.Generator) { g.Late = 2 }, 0, "load generator 2 of 3 was too slow: it started requests 1ms late in the median (bound 2ms) and 2 of 100 more than 20ms late (bound: 1 %)"},
		"slow":        {func(g *results.Generator) { g.Lag.P50 = 3 * time.Millisecond }, 0, "load generator 2 of 3 was too slow: it started requests 3ms late"},
		"ports":       {func(g *results.Generator) { g.Errors = map[string]int{"ports": 4} }, 0, "load generator 2 of 3 could not connect: of 100 requests 4 found no free local port and 0"},
		"apart":       {func(g *results.Generator) { g.Start = 20 * time.Millisecond }, 0, "the load generators started 20ms apart, ± 1ms, more than 20ms (1 % of service.duration, and at least 5ms)"},
		"just apart":  {func(g *results.Generator) { g.Start = 19 * time.Millisecond }, 0, ""},
		"few":         {func(g *results.Generator) { g.Ended, g.Late = 30, 1 }, 0, ""},
		"late in all": {func(g *results.Generator) { g.Ended, g.Late = 30, 1 }, 1, "the group of 3 load generators was too slow: it started requests 1ms late in the median (bound 2ms) and 3 of 230 "},
	} {
		s := &results.Service{Generators: []results.Generator{ok, ok, ok}}
		test.change(&s.Generators[1])
		for i := range s.Generators {
			g := &s.Generators[i]
			if g.Index = i; i != 1 {
				g.Late = test.late
			}
			s.Ended, s.Late, s.Lag = s.Ended+g.Ended, s.Late+g.Late, ok.Lag
		}
		outcome, err := checkGenerators(s, 2*time.Second)
		if test.want == "" && (outcome != "" || err != nil) || test.want != "" && (outcome != results.OutcomeInvalid || !strings.HasPrefix(fmt.Sprint(err), test.want)) {
			t.Errorf("%s: %s, %v; want %s", name, outcome, err, test.want)
		}
	}
}
