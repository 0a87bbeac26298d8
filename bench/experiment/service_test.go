package experiment_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/bench/experiment"
	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/scenarios"
)

const serviceScenario = `version: 1
name: service
title: Reports
seed: 5
items: {kind: phone-numbers}
service:
  report_items: 6
  arrivals: {rate: 200}
  duration: 50ms
  timeout: 60s
  stall: 60s
  recovery: 60s
upstream:
  latency: {distribution: constant, value: 40ms}
  late_bound: 30s
  body: {min_records: 1, max_records: 3}
sut: {nofile: 64}
variants:
  - {name: shared, strategy: bounded, limit: 4, scope: shared}
  - {name: turned-away, strategy: bounded, limit: 1, scope: shared, waiting: 5}
  - {name: adaptive, strategy: adaptive}
  - {name: forgotten, strategy: bounded, limit: 6, connections: {clients: forgotten}}
levels:
  - service.report_items: 6
blocks: 6
`

// Every report of a service's trial is accounted for in the summary of the load, in the
// time series and in the database.
func TestServiceTrial(t *testing.T) {
	r := trials(t)
	r.IgnoreLag()
	warm := variantOf(t, scenario(t, serviceScenario), "shared")
	if _, err := r.Run(t.Context(), warm); err != nil { // opens the harness's own connections
		t.Fatal(err)
	}
	before := openDescriptors()
	for _, name := range []string{"shared", "turned-away", "adaptive", "forgotten"} {
		t.Run(name, func(t *testing.T) {
			s := scenario(t, serviceScenario)
			if name == "forgotten" { // it is out of descriptors and waits until this timeout
				s.Service.Timeout, s.Service.Recovery = scenarios.Duration(5*time.Second), scenarios.Duration(500*time.Millisecond)
				s.SUT.FetchTimeout, s.SUT.WriteTimeout = scenarios.Duration(5*time.Second), scenarios.Duration(5*time.Second)
			}
			record, err := r.Run(t.Context(), variantOf(t, s, name))
			if err != nil || record.Outcome != results.OutcomeOK {
				t.Fatalf("%s %s, %v", record.Outcome, record.Reason, err)
			}
			checkService(t, record)
		})
	}
	for end := time.Now().Add(time.Minute); openDescriptors() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the harness has %d descriptors open, %d before", openDescriptors(), before)
		}
	}
}

// variantOf returns the first trial of a variant.
func variantOf(t *testing.T, s *scenarios.Scenario, name string) experiment.ScheduledTrial {
	t.Helper()
	all := plan(t, s)
	at := slices.IndexFunc(all, func(p experiment.ScheduledTrial) bool { return p.Variant.Name == name })
	if at < 0 {
		t.Fatalf("no variant %q", name)
	}
	return all[at]
}

// openDescriptors counts those of this process, the harness; it returns 0 if they
// cannot be counted.
func openDescriptors() int {
	open, _ := os.ReadDir("/proc/self/fd")
	return len(open)
}

func checkService(t *testing.T, record results.Trial) {
	t.Helper()
	v, d := record.Service, record.Documents
	refused := 0
	for _, n := range v.Errors {
		refused += n
	}
	if v.Due != 10 || v.Ended != 10 || v.OK+refused != 10 || v.Response.Count != 10 || int(v.Accepted.Count) != v.OK {
		t.Errorf("due %d, ended %d, done %d, errors %v; want 10 in all", v.Due, v.Ended, v.OK, v.Errors)
	}
	for _, name := range results.Columns() {
		if len(v.Series.Columns[name]) != len(v.Series.At) || len(v.Series.At) < 1 {
			t.Errorf("%d values of %s at %d times", len(v.Series.Columns[name]), name, len(v.Series.At))
		}
	}
	if d.Lost+d.Duplicate+d.Corrupt+d.Foreign != 0 || d.Found < 6*v.OK {
		t.Errorf("documents %+v, want those of %d reports", d, v.OK)
	}
	forgets := record.Variant == "forgotten"
	if k := record.Descriptors.LeakedKinds; forgets && (k == nil || k.Upstream+k.Mongo+k.Other < *record.Descriptors.Leaked-2 || k.Upstream == 0 || k.Mongo == 0) {
		t.Errorf("%d stayed open, by kind %+v: want connections of both sides", *record.Descriptors.Leaked, k)
	}
	emfile := v.Series.Columns[results.ColumnRefused][len(v.Series.At)-1]
	switch {
	case forgets && (emfile == 0 || v.Recovered || *record.Descriptors.Leaked == 0 || record.Descriptors.Peak < 60):
		t.Errorf("%d emfile, recovered %v, %d left, peak %d: want that it ran out for good", emfile, v.Recovered, *record.Descriptors.Leaked, record.Descriptors.Peak)
	case !forgets && (emfile != 0 || !v.Recovered || *record.Descriptors.Leaked != 0):
		t.Errorf("%d emfile, recovered %v, %d left", emfile, v.Recovered, *record.Descriptors.Leaked)
	case record.Variant == "shared" && v.OK != 10:
		t.Errorf("%d of 10 reports were done", v.OK)
	case record.Variant == "turned-away" && v.Errors["http_5xx"] == 0:
		t.Errorf("no report was rejected: %v", v.Errors)
	}
}

// When a service stalls, the trial ends with that outcome and records the stacks of
// the service's goroutines.
func TestServiceStalls(t *testing.T) {
	r := trials(t)
	r.IgnoreLag()
	s := scenario(t, serviceScenario)
	s.Service.Stall, s.Service.Recovery = scenarios.Duration(500*time.Millisecond), scenarios.Duration(100*time.Millisecond)
	s.SUT.NoFile, s.Variants[0].Limit = 256, 60 // all items hang at once, and none after the reports have ended
	s.Upstream.Faults = []mockupstream.Fault{{Kind: "hang", Probability: 1, For: mockupstream.Duration(4 * time.Second)}}
	record, err := r.Run(t.Context(), variantOf(t, s, "shared"))
	if err != nil || record.Service == nil {
		t.Fatalf("%s %s, %v", record.Outcome, record.Reason, err)
	}
	if record.Outcome != results.OutcomeStalled || !strings.Contains(record.Reason, "no report in flight was completed for 500ms") {
		t.Errorf("outcome %s: %s", record.Outcome, record.Reason)
	}
	if record.Service.Stalled == nil || record.Service.OK != 0 || record.Service.Recovered {
		t.Errorf("stalled %v, done %d, recovered %v: want a stall", record.Service.Stalled, record.Service.OK, record.Service.Recovered)
	}
	if !strings.Contains(record.Service.Goroutines, "calllog.(*HTTPFetcher).Fetch") {
		t.Errorf("the stacks do not show the fetches that hang:\n%s", record.Service.Goroutines)
	}
}

// The last Live of a trial agrees with its record.
func TestServiceLive(t *testing.T) {
	r := trials(t)
	r.IgnoreLag()
	var lives []experiment.Live
	r.Live = func(l experiment.Live) { lives = append(lives, l) }
	p := variantOf(t, scenario(t, serviceScenario), "turned-away")
	record, err := r.Run(t.Context(), p)
	if err != nil || record.Outcome != results.OutcomeOK || len(lives) == 0 || len(lives) != len(record.Service.Series.At) {
		t.Fatalf("%s %s, %v, told %d times", record.Outcome, record.Reason, err, len(lives))
	}
	responses, longest := 0, time.Duration(0)
	for _, l := range lives {
		responses, longest = responses+len(l.Responses), max(longest, l.P99)
	}
	l, v := lives[len(lives)-1], record.Service
	if l.Due != v.Due || l.Ended != v.Ended || l.OK != v.OK || l.Errors["http_5xx"] != int64(v.Errors["http_5xx"]) || responses != v.Ended {
		t.Errorf("told last %+v and %d responses, recorded due %d, ended %d, done %d, errors %v", l.Counts, responses, v.Due, v.Ended, v.OK, v.Errors)
	}
	if l.Trial.Index != p.Index || !l.Began.Equal(record.Started) || l.NoFile != 64 || l.Descriptors < 5 || l.Duration != 50*time.Millisecond || longest <= 0 {
		t.Errorf("told %+v, and a p99 of %v", l, longest)
	}
}
