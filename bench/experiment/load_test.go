package experiment_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/leak"
	"floodgate/results/summary"
	"floodgate/scenarios"
)

// trialOf runs the first trial of the only variant of a scenario.
func trialOf(t *testing.T, r *experiment.Trials, text string) (results.Trial, *scenarios.Scenario) {
	t.Helper()
	s := scenario(t, text)
	plan, err := experiment.Plan(s)
	if err != nil {
		t.Fatal(err)
	}
	record, err := believable(t, r, plan[0])
	if err != nil || record.Service == nil || record.Descriptors.Left == nil {
		t.Fatalf("%s %s, %v", record.Outcome, record.Reason, err)
	}
	return record, s
}

// believable runs a trial, again where the machine was too slow to believe it,
// as a run does.
func believable(t *testing.T, r *experiment.Trials, p experiment.PlannedTrial) (results.Trial, error) {
	t.Helper()
	for range 10 {
		record, err := r.Run(t.Context(), p)
		if err != nil || record.Outcome != results.OutcomeInvalid {
			return record, err
		}
		t.Log(record.Reason)
	}
	t.Fatal("the machine is too busy: ten trials could not be believed")
	return results.Trial{}, nil
}

// What is saved for vegeta are the trials that are believed, and a disk that is
// full fails them.
func TestBelievedTrialsAreSaved(t *testing.T) {
	text := loadScenario("{rate: 20}", "1s", "1ms", 256, "{strategy: bounded, limit: 4}")
	full := errors.New("disk full")
	for name, c := range map[string]struct {
		text, outcome string
		saved         int
		fails         error
	}{
		"believed":  {text, results.OutcomeOK, 20, nil},
		"invalid":   {strings.Replace(text, "  body:", "  late_bound: 1ns\n  body:", 1), results.OutcomeInvalid, 0, nil},
		"full disk": {text, results.OutcomeFailed, 1, full},
	} {
		r := trials(t)
		saved := 0
		r.SaveVegeta = func(*vegeta.Result) error { saved++; return c.fails }
		run := believable
		if c.outcome == results.OutcomeInvalid {
			run = func(t *testing.T, r *experiment.Trials, p experiment.PlannedTrial) (results.Trial, error) {
				return r.Run(t.Context(), p)
			}
		}
		record, err := run(t, r, plan(t, scenario(t, c.text))[0])
		if err != nil || record.Outcome != c.outcome || saved != c.saved || c.fails != nil && !strings.Contains(record.Reason, full.Error()) {
			t.Errorf("%s: %s (%s), %v, %d saved; want %s, %d", name, record.Outcome, record.Reason, err, saved, c.outcome, c.saved)
		}
	}
}

func fit(t *testing.T, record results.Trial, s *scenarios.Scenario) *leak.Fit {
	t.Helper()
	course := summary.NewCourse(record.Service.Series, time.Duration(s.Service.Duration))
	f, err := leak.Regress(course.Samples, 0.95, 1)
	if err != nil {
		t.Fatalf("%v: %d samples", err, len(course.Samples))
	}
	return f
}

// loadScenario has reports of 10 items come to one variant.
func loadScenario(arrivals, duration, latency string, nofile int, variant string) string {
	return fmt.Sprintf(`version: 1
name: load
title: Load
seed: 7
items: {kind: phone-numbers}
service: {report_items: 10, arrivals: %s, duration: %s, timeout: 5s, recovery: 20s}
upstream:
  latency: {distribution: constant, value: %s}
  body: {min_records: 1, max_records: 3}
sut: {nofile: %d}
variants: [%s]
levels: [{service.report_items: 10}]
blocks: 6
`, arrivals, duration, latency, nofile, variant)
}

// A service that leaves a known number of descriptors behind with each report
// is found out to the tenth of one.
func TestLeakIsFoundInAService(t *testing.T) {
	r := trials(t)
	var seen []string
	// Where the machine is too busy for a rate, reports pile up as the leak
	// grows, and the two cannot be told apart to a tenth.
	for _, load := range [][2]string{{"{rate: 15}", "4s"}, {"{rate: 6}", "6s"}, {"{rate: 3}", "10s"}} {
		record, s := trialOf(t, r, loadScenario(load[0], load[1], "4ms", 1024,
			"{strategy: bounded, limit: 1, connections: {clients: forgotten}}"))
		planted := float64(*record.Descriptors.Left) / float64(record.Service.OK+1) // and the report after the load
		f := fit(t, record, s)
		c, got := f.Cause(), math.NaN()
		if f.PerCompleted != nil { // else the reports in flight went with those done
			got = f.PerCompleted.Estimate
		}
		if (c == leak.Leak || c == leak.Both) && math.Abs(got-planted) <= 0.1 && planted >= 3 {
			return
		}
		seen = append(seen, fmt.Sprintf("cause %s, %.2f descriptors leaked a report, want a leak of %.2f ± 0.1", c, got, planted))
	}
	t.Error(strings.Join(seen, "\n"))
}

// A service whose descriptors go with the reports in flight alone leaks nothing.
func TestLoadIsNoLeakInAService(t *testing.T) {
	record, s := trialOf(t, trials(t), loadScenario("{rate: 25, poisson: true}", "5s", "150ms", 1024,
		"{strategy: bounded, limit: 5, connections: {upstream: fresh, max_conns_per_host: 0, max_pool_size: 5}}"))
	f := fit(t, record, s)
	if c := f.Cause(); c == leak.Leak || c == leak.Both || *record.Descriptors.Left != 0 {
		t.Errorf("cause %s, %d left: want no leak; lost %+v, held %+v", c, *record.Descriptors.Left, f.PerCompleted, f.PerInFlight)
	}
}

// A burst takes all descriptors; when it is over the service works again, and
// what could not be done was said to have failed.
func TestServiceRecoversFromExhaustion(t *testing.T) {
	record, s := trialOf(t, trials(t), loadScenario("{pattern: steps, steps: [{rate: 5, for: 500ms}, {rate: 60, for: 1s}]}", "1s", "300ms", 64,
		"{strategy: unbounded}"))
	course := summary.NewCourse(record.Service.Series, time.Duration(s.Service.Duration))
	if course.Exhausted == nil || record.Service.OK == record.Service.Due {
		t.Fatalf("%d of %d reports done, exhausted %+v: want that it ran out", record.Service.OK, record.Service.Due, course.Exhausted)
	}
	if e := course.Exhausted; e.Side == "" || e.Report < 2 || e.Report > record.Service.Due {
		t.Errorf("exhausted %+v, want a side and a report of %d", e, record.Service.Due)
	}
	if !record.Service.Recovered || *record.Descriptors.Left != 0 {
		t.Errorf("recovered %v, %d left", record.Service.Recovered, *record.Descriptors.Left)
	}
	if d := record.Documents; d.Lost+d.Duplicate+d.Wrong+d.Foreign != 0 {
		t.Errorf("documents %+v", d)
	}
}

// Under the same overload a bounded queue keeps what it accepts quick, and an
// unbounded one does not.
func TestSheddingKeepsAcceptedReportsQuick(t *testing.T) {
	const bound = 2 * time.Second
	r := trials(t)
	overload := func(variant string) *results.Service {
		record, _ := trialOf(t, r, loadScenario("{rate: 60}", "2s", "25ms", 1024, variant))
		return record.Service
	}
	shed := overload("{strategy: bounded, limit: 4, scope: shared, waiting: 20}")
	if shed.Accepted.P99 > bound || shed.OK == 0 || shed.Errors["http_5xx"] == 0 {
		t.Errorf("p99 of %d accepted reports %v, errors %v: want some, within %v, the others turned away", shed.OK, shed.Accepted.P99, shed.Errors, bound)
	}
	if waits := overload("{strategy: bounded, limit: 4, scope: shared}"); waits.Response.P99 <= bound {
		t.Errorf("p99 %v with a queue that is not bounded: the load is none, and the test shows nothing", waits.Response.P99)
	}
}
