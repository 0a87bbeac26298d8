package experiment_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"floodgate/bench/experiment"
	"floodgate/mockupstream"
	"floodgate/results"
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
  timeout: 5s
  stall: 500ms
  recovery: 1s
upstream:
  latency: {distribution: constant, value: 5ms}
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

// A trial of a service: all that came is accounted for, in the report of the
// load, in the series and in the database.
func TestServiceTrial(t *testing.T) {
	r := trials(t)
	s := scenario(t, serviceScenario)
	plan, err := experiment.Plan(s)
	if err != nil {
		t.Fatal(err)
	}
	before, seen := openDescriptors(), map[string]bool{}
	defer func() {
		for end := time.Now().Add(5 * time.Second); openDescriptors() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the harness has %d descriptors open, %d before", openDescriptors(), before)
			}
		}
	}()
	for _, p := range plan {
		if seen[p.Variant.Name] {
			continue
		}
		seen[p.Variant.Name] = true
		t.Run(p.Variant.Name, func(t *testing.T) {
			record, err := believable(t, r, p)
			stalled := record.Outcome == results.OutcomeStalled && p.Variant.Name == "forgotten" // out of descriptors, it may wait for one
			if err != nil || record.Outcome != results.OutcomeOK && !stalled {
				t.Fatalf("%s %s, %v", record.Outcome, record.Reason, err)
			}
			checkService(t, record)
		})
	}
}

// openDescriptors of this process, the harness; 0 where they cannot be counted.
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
	for _, name := range results.SeriesColumns() {
		if len(v.Series.Columns[name]) != len(v.Series.At) || len(v.Series.At) < 1 {
			t.Errorf("%d values of %s at %d times", len(v.Series.Columns[name]), name, len(v.Series.At))
		}
	}
	if d.Lost+d.Duplicate+d.Wrong+d.Foreign != 0 || d.Found < 6*v.OK {
		t.Errorf("documents %+v, want those of %d reports", d, v.OK)
	}
	forgets := record.Variant == "forgotten"
	if k := record.Descriptors.LeftKinds; forgets && (k == nil || k.Upstream+k.Mongo+k.Other < *record.Descriptors.Left-2 || k.Upstream == 0 || k.Mongo == 0) {
		t.Errorf("%d stayed open, by kind %+v: want connections of both sides", *record.Descriptors.Left, k)
	}
	emfile := v.Series.Columns["emfile"][len(v.Series.At)-1]
	switch {
	case forgets && (emfile == 0 || v.Recovered || *record.Descriptors.Left == 0 || record.Descriptors.Peak < 60):
		t.Errorf("%d emfile, recovered %v, %d left, peak %d: want that it ran out for good", emfile, v.Recovered, *record.Descriptors.Left, record.Descriptors.Peak)
	case !forgets && (emfile != 0 || !v.Recovered || *record.Descriptors.Left != 0):
		t.Errorf("%d emfile, recovered %v, %d left", emfile, v.Recovered, *record.Descriptors.Left)
	case record.Variant == "shared" && v.OK != 10:
		t.Errorf("%d of 10 reports were done", v.OK)
	case record.Variant == "turned-away" && v.Errors["http_5xx"] == 0:
		t.Errorf("nobody was turned away: %v", v.Errors)
	}
}

// A service that comes to a standstill: the trial ends, and says so.
func TestServiceStalls(t *testing.T) {
	r := trials(t)
	s := scenario(t, serviceScenario)
	s.Upstream.Faults = []mockupstream.Fault{{Kind: "hang", Probability: 1, For: mockupstream.Duration(2 * time.Second)}}
	plan, err := experiment.Plan(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range plan {
		if p.Variant.Name != "shared" {
			continue
		}
		record, err := believable(t, r, p)
		if err != nil || record.Service == nil {
			t.Fatalf("%s %s, %v", record.Outcome, record.Reason, err)
		}
		if record.Outcome != results.OutcomeStalled || !strings.Contains(record.Reason, "none completed for 500ms") {
			t.Errorf("outcome %s: %s", record.Outcome, record.Reason)
		}
		if record.Service.Stalled == nil || record.Service.OK != 0 || record.Service.Recovered {
			t.Errorf("stalled %v, done %d, recovered %v: want a stall", record.Service.Stalled, record.Service.OK, record.Service.Recovered)
		}
		if !strings.Contains(record.Service.Goroutines, "calllog.(*HTTPFetcher).Fetch") {
			t.Errorf("the stacks do not show the fetches that hang:\n%s", record.Service.Goroutines)
		}
		return
	}
}

// What is told of a trial while it runs ends with what its record says.
func TestServiceLive(t *testing.T) {
	r := trials(t)
	var lives []experiment.Live
	r.Live = func(l experiment.Live) {
		if len(lives) > 0 && !l.Began.Equal(lives[0].Began) { // it was not believed and runs again
			lives = nil
		}
		lives = append(lives, l)
	}
	s := scenario(t, serviceScenario)
	for _, p := range plan(t, s) {
		if p.Variant.Name != "turned-away" {
			continue
		}
		record, err := believable(t, r, p)
		if err != nil || record.Outcome != results.OutcomeOK || len(lives) != len(record.Service.Series.At) {
			t.Fatalf("%s %s, %v, told %d times", record.Outcome, record.Reason, err, len(lives))
		}
		responses := 0
		for _, l := range lives {
			responses += len(l.Responses)
		}
		l, v := lives[len(lives)-1], record.Service
		if l.Due != v.Due || l.Ended != v.Ended || l.OK != v.OK || l.Errors["http_5xx"] != int64(v.Errors["http_5xx"]) || responses != v.Ended {
			t.Errorf("told last %+v and %d responses, recorded due %d, ended %d, done %d, errors %v", l.Counts, responses, v.Due, v.Ended, v.OK, v.Errors)
		}
		if l.Trial.Index != p.Index || !l.Began.Equal(record.Started) || l.NoFile != 64 || l.Descriptors < 5 || l.Duration != 50*time.Millisecond || l.P99 <= 0 {
			t.Errorf("told %+v", l)
		}
		return
	}
}
