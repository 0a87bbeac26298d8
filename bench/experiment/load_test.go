package experiment_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/experiment"
	"floodgate/bench/load"
	"floodgate/results"
	"floodgate/results/leak"
	"floodgate/results/summary"
	"floodgate/scenarios"
)

// waves are a load that goes by events in place of a clock, so that how many
// reports are in flight does not depend on the machine: so many at once, and the
// next ones when all have been answered and the SUT has said what it has in hand.
type waves []int

// attack is in the place of load.Attack.
func (w waves) attack(ticks <-chan struct{}) func(context.Context, load.Options) error {
	return func(ctx context.Context, o load.Options) error {
		client := &http.Client{Timeout: o.Timeout, Transport: &http.Transport{MaxIdleConnsPerHost: slices.Max(w)}}
		defer client.CloseIdleConnections()
		began, seq := time.Now(), uint64(0)
		for _, n := range w {
			ended := make(chan load.Ended, n)
			for range n {
				e := load.Ended{Report: seq, Intended: time.Since(began)}
				o.Due(load.Due{Seq: seq, Intended: e.Intended})
				go func() { ended <- send(client, o, e, began) }()
				seq++
			}
			for range n {
				o.Ended(<-ended)
			}
			select {
			case <-ticks: // one of before
			default:
			}
			select {
			case <-ticks:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	}
}

// send sends a report and returns what became of it; it is begun when it is due.
func send(client *http.Client, o load.Options, e load.Ended, began time.Time) load.Ended {
	e.Begun = e.Intended
	resp, err := client.Post(o.URL, "application/json", bytes.NewReader(o.Body(e.Report)))
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		e.Code = resp.StatusCode
	}
	e.At = time.Since(began)
	switch {
	case err != nil:
		e.Error, e.Text = "other", err.Error()
	case e.Code >= http.StatusInternalServerError:
		e.Error = "http_5xx"
	}
	return e
}

// trialOf runs the first trial of the only variant of a scenario under waves of reports.
func trialOf(t *testing.T, w waves, text string) (results.Trial, *scenarios.Scenario) {
	t.Helper()
	r := trials(t)
	ticks := make(chan struct{}, 1)
	r.Live = func(experiment.Live) {
		select {
		case ticks <- struct{}{}:
		default:
		}
	}
	r.AttackWith(w.attack(ticks))
	s := scenario(t, text)
	record, err := r.Run(t.Context(), plan(t, s)[0])
	if err != nil || record.Outcome != results.OutcomeOK || record.Descriptors.Left == nil {
		t.Fatalf("%s %s, %v\n%s", record.Outcome, record.Reason, err, record.StderrTail)
	}
	return record, s
}

// What is saved for vegeta are the trials that are believed, and a disk that is
// full fails them.
func TestBelievedTrialsAreSaved(t *testing.T) {
	text := strings.Replace(loadScenario("1ms", 256, "{strategy: bounded, limit: 4}"), "duration: 1s", "duration: 200ms", 1)
	full := errors.New("disk full")
	for name, c := range map[string]struct {
		text, outcome string
		saved         int
		fails         error
	}{
		"believed":  {text, results.OutcomeOK, 20, nil},
		"invalid":   {strings.Replace(text, "late_bound: 30s", "late_bound: 1ns", 1), results.OutcomeInvalid, 0, nil},
		"full disk": {text, results.OutcomeFailed, 1, full},
	} {
		r := trials(t)
		r.BelieveAnyLag()
		saved := 0
		r.SaveVegeta = func(*vegeta.Result) error { saved++; return c.fails }
		record, err := r.Run(t.Context(), plan(t, scenario(t, c.text))[0])
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

// loadScenario has reports of 10 items come to one variant, whose times bound
// nothing.
func loadScenario(latency string, nofile int, variant string) string {
	return fmt.Sprintf(`version: 1
name: load
title: Load
seed: 7
items: {kind: phone-numbers}
service: {report_items: 10, arrivals: {rate: 100}, duration: 1s, timeout: 60s, stall: 60s, recovery: 60s}
upstream:
  latency: {distribution: constant, value: %s}
  late_bound: 30s
  body: {min_records: 1, max_records: 3}
sut: {nofile: %d}
variants: [%s]
levels: [{service.report_items: 10}]
blocks: 6
`, latency, nofile, variant)
}

// A service that leaves a known number of descriptors behind with each report
// is found out to the tenth of one.
func TestLeakIsFoundInAService(t *testing.T) {
	w := slices.Repeat(waves{1}, 30)
	record, s := trialOf(t, w, loadScenario("2ms", 1024, "{strategy: bounded, limit: 2, connections: {clients: forgotten}}"))
	if record.Service.OK != len(w) {
		t.Fatalf("%d of %d reports done, errors %v", record.Service.OK, len(w), record.Service.Errors)
	}
	planted := float64(*record.Descriptors.Left) / float64(record.Service.OK+1) // and the report after the load
	f := fit(t, record, s)
	c, got := f.Cause(), math.NaN()
	if f.PerCompleted != nil {
		got = f.PerCompleted.Estimate
	}
	if (c != leak.Leak && c != leak.Both) || !(math.Abs(got-planted) <= 0.1) || planted < 3 {
		t.Errorf("cause %s, %.2f descriptors leaked a report, want a leak of %.2f ± 0.1", c, got, planted)
	}
}

// A service whose descriptors go with the reports in flight alone leaks nothing.
func TestLoadIsNoLeakInAService(t *testing.T) {
	w := waves{5, 1, 4, 2, 5, 3, 1, 4, 2, 5}
	record, s := trialOf(t, w, loadScenario("100ms", 1024,
		"{strategy: bounded, limit: 5, connections: {upstream: fresh, max_conns_per_host: 0, max_pool_size: 5}}"))
	f := fit(t, record, s)
	if c := f.Cause(); c == leak.Leak || c == leak.Both || *record.Descriptors.Left != 0 {
		t.Errorf("cause %s, %d left: want no leak; lost %+v, held %+v", c, *record.Descriptors.Left, f.PerCompleted, f.PerInFlight)
	}
}

// A burst takes all descriptors; when it is over the service works again, and
// what could not be done was said to have failed.
func TestServiceRecoversFromExhaustion(t *testing.T) {
	record, s := trialOf(t, waves{1, 15}, loadScenario("300ms", 64, "{strategy: unbounded}"))
	v := record.Service
	course := summary.NewCourse(v.Series, time.Duration(s.Service.Duration))
	if course.Exhausted == nil || v.OK == v.Due || v.Due != 16 || v.Ended != v.Due {
		t.Fatalf("%d of %d reports done, exhausted %+v: want that it ran out", v.OK, v.Due, course.Exhausted)
	}
	arrived := v.Series.Columns["arrived"]
	if e := course.Exhausted; e.Side == "" || e.Report < 2 || e.Report > int(arrived[len(arrived)-1]) {
		t.Errorf("exhausted %+v, want a side and a report of %d", e, v.Due)
	}
	if !v.Recovered || *record.Descriptors.Left != 0 {
		t.Errorf("recovered %v, %d left", v.Recovered, *record.Descriptors.Left)
	}
	if d := record.Documents; d.Lost+d.Duplicate+d.Wrong+d.Foreign != 0 {
		t.Errorf("documents %+v", d)
	}
}

// Under the same overload a bounded queue never holds more items than it may,
// and turns the other reports away; an unbounded one takes them all. (That what
// is accepted is quick then is for package service, on a clock of its own.)
func TestSheddingBoundsWhatIsInHand(t *testing.T) {
	const limit, waiting, reports = 4, 20, 12
	overload := func(variant string) (v *results.Service, most int64) {
		record, _ := trialOf(t, waves{reports}, loadScenario("80ms", 1024, variant))
		return record.Service, slices.Max(record.Service.Series.Columns["items_outstanding"])
	}
	shed, most := overload(fmt.Sprintf("{strategy: bounded, limit: %d, scope: shared, waiting: %d}", limit, waiting))
	if most > limit+waiting || shed.OK < 2 || shed.Errors["http_5xx"] == 0 || shed.OK+shed.Errors["http_5xx"] != reports {
		t.Errorf("%d items in hand, %d reports done, errors %v: want at most %d, and the others turned away", most, shed.OK, shed.Errors, limit+waiting)
	}
	all, most := overload(fmt.Sprintf("{strategy: bounded, limit: %d, scope: shared}", limit))
	if most <= limit+waiting || all.OK != reports {
		t.Errorf("%d items in hand, %d reports done with a queue that is not bounded, errors %v: the load is none, and the test shows nothing", most, all.OK, all.Errors)
	}
}
