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

// waves is a load driven by events instead of a clock, so that the number of reports
// in flight does not depend on the machine: each wave starts at once, as soon as the
// SUT has reported that nothing is in progress.
type waves struct {
	sizes []int
	lives chan experiment.Live // holds the latest
	idle  []leak.Sample        // taken after each wave, with nothing in flight
}

func newWaves(sizes ...int) *waves { return &waves{sizes: sizes, lives: make(chan experiment.Live, 1)} }

// live receives the state of the trial ten times a second.
func (w *waves) live(l experiment.Live) {
	select {
	case <-w.lives: // drop the older state
	default:
	}
	w.lives <- l
}

// attack replaces load.Attack.
func (w *waves) attack(ctx context.Context, o load.Options) error {
	clients, err := connected(slices.Max(w.sizes), o)
	for _, c := range clients {
		defer c.CloseIdleConnections()
	}
	if err != nil {
		return err
	}
	began, sent := time.Now(), 0
	for _, n := range w.sizes {
		ended := make(chan load.Ended, n)
		for i := range n {
			e := load.Ended{Report: uint64(sent), Intended: time.Since(began)}
			o.Due(load.Due{Seq: e.Report, Intended: e.Intended})
			go func() { ended <- send(clients[i], o, e, began) }()
			sent++
		}
		for range n {
			e := <-ended
			o.Ended(e)
			if e.Code == 0 { // the SUT has not seen it
				return fmt.Errorf("report %d: %s", e.Report, e.Text)
			}
		}
		if err := w.await(ctx, sent); err != nil {
			return err
		}
	}
	return nil
}

// connected returns clients whose connections the SUT has already accepted, because
// it accepts none while it is out of descriptors.
func connected(n int, o load.Options) (clients []*http.Client, err error) {
	for range n {
		c := &http.Client{Timeout: o.Timeout, Transport: &http.Transport{}}
		clients = append(clients, c)
		resp, err := c.Get(o.URLs[0]) // rejected, because reports need POST
		if err != nil {
			return clients, err
		}
		_, _ = io.Copy(io.Discard, resp.Body) // keeps the connection open
		resp.Body.Close()
	}
	return clients, nil
}

// await waits until the SUT has reported that all reports are answered.
func (w *waves) await(ctx context.Context, sent int) error {
	for {
		select {
		case l := <-w.lives:
			if k := l.Tick; k.ReportsInFlight == 0 && k.Shed+k.Done+k.Failed == sent {
				w.idle = append(w.idle, leak.Sample{At: k.At, Descriptors: float64(l.Descriptors), Completed: float64(k.Done + k.Failed)})
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// send sends a report at once and returns its result.
func send(client *http.Client, o load.Options, e load.Ended, began time.Time) load.Ended {
	e.Begun = e.Intended
	resp, err := client.Post(o.URLs[0], "application/json", bytes.NewReader(o.Body(e.Report)))
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

// trialOf runs the first trial of a scenario's only variant under waves of reports.
func trialOf(t *testing.T, w *waves, text string) (results.Trial, *scenarios.Scenario) {
	t.Helper()
	r := trials(t)
	r.Live = w.live
	r.AttackWith(w.attack)
	s := scenario(t, text)
	record, err := r.Run(t.Context(), plan(t, s)[0])
	if err != nil || record.Outcome != results.OutcomeOK || record.Descriptors.Leaked == nil {
		t.Fatalf("%s %s, %v\n%s", record.Outcome, record.Reason, err, record.StderrTail)
	}
	return record, s
}

// Only valid trials are saved for vegeta, and a full disk fails them.
func TestValidTrialsAreSaved(t *testing.T) {
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
		r.IgnoreLag()
		saved := 0
		r.SaveVegeta = func(*vegeta.Result) error { saved++; return c.fails }
		record, err := r.Run(t.Context(), plan(t, scenario(t, c.text))[0])
		if err != nil || record.Outcome != c.outcome || saved != c.saved || c.fails != nil && !strings.Contains(record.Reason, full.Error()) {
			t.Errorf("%s: %s (%s), %v, %d saved; want %s, %d", name, record.Outcome, record.Reason, err, saved, c.outcome, c.saved)
		}
	}
}

// fit returns the regression of samples.
func fit(t *testing.T, samples []leak.Sample) *leak.Fit {
	t.Helper()
	f, err := leak.Regress(samples, 0.95, 1)
	if err != nil {
		t.Fatalf("%v: %d samples", err, len(samples))
	}
	return f
}

// leaked returns the estimated number of descriptors that each report leaks, or 0 if
// the samples do not determine it.
func leaked(f *leak.Fit) float64 {
	if f.PerCompleted == nil {
		return 0
	}
	return f.PerCompleted.Estimate
}

// loadScenario has reports of 10 items and one variant, with timeouts that never expire.
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

// The leak of a known number of descriptors per report is estimated within 0.1 from
// idle samples and within 0.5 from all ticks, some of which see reports in progress.
func TestLeakIsFoundInAService(t *testing.T) {
	w := newWaves(slices.Repeat([]int{1}, 30)...)
	record, s := trialOf(t, w, loadScenario("2ms", 1024, "{strategy: bounded, limit: 1, connections: {clients: forgotten}}"))
	if record.Service.OK != len(w.sizes) {
		t.Fatalf("%d of %d reports done, errors %v", record.Service.OK, len(w.sizes), record.Service.Errors)
	}
	injected := float64(*record.Descriptors.Leaked) / float64(record.Service.OK+1) // plus the report after the load
	idle, all := fit(t, w.idle), fit(t, summary.NewTimeSeries(record.Service.Series, time.Duration(s.Service.Duration)).Samples)
	if got := leaked(idle); idle.Cause() != leak.Leak || math.Abs(got-injected) > 0.1 || injected < 3 {
		t.Errorf("cause %s, %.2f descriptors leaked a report with none in flight, want a leak of %.2f ± 0.1", idle.Cause(), got, injected)
	}
	if c, got := all.Cause(), leaked(all); c != leak.Leak && c != leak.Both || math.Abs(got-injected) > 0.5 {
		t.Errorf("cause %s, %.2f descriptors leaked a report, want a leak of %.2f ± 0.5", c, got, injected)
	}
}

// A service whose descriptors depend only on the reports in flight leaks nothing.
func TestLoadIsNoLeakInAService(t *testing.T) {
	w := newWaves(slices.Repeat([]int{5, 1}, 15)...)
	record, s := trialOf(t, w, loadScenario("50ms", 1024,
		"{strategy: bounded, limit: 5, connections: {upstream: fresh, max_conns_per_host: 0, max_pool_size: 5}}"))
	// On a busy machine, a pool may still grow in the middle: that is inconclusive.
	if f := fit(t, w.idle); f.Cause() == leak.Leak || f.Cause() == leak.Both || *record.Descriptors.Leaked != 0 {
		t.Errorf("cause %s with nothing in flight, %d left: want no leak; lost %+v", f.Cause(), *record.Descriptors.Leaked, f.PerCompleted)
	}
	f := fit(t, summary.NewTimeSeries(record.Service.Series, time.Duration(s.Service.Duration)).Samples)
	// How many each holds depends on how busy the machine is.
	if leaked(f) > 0.5 || f.PerInFlight == nil || f.PerInFlight.Low <= 0 {
		t.Errorf("lost %+v, held %+v: want that reports in flight hold them", f.PerCompleted, f.PerInFlight)
	}
}

// A burst exhausts the descriptors. Afterwards the service works again, and every
// item that could not be processed was reported as failed.
func TestServiceRecoversFromExhaustion(t *testing.T) {
	record, s := trialOf(t, newWaves(1, 15), loadScenario("300ms", 64, "{strategy: unbounded}"))
	v := record.Service
	course := summary.NewTimeSeries(v.Series, time.Duration(s.Service.Duration))
	if course.Exhausted == nil || v.OK == v.Due || v.Due != 16 || v.Ended != v.Due {
		t.Fatalf("%d of %d reports done, exhausted %+v: want that it ran out", v.OK, v.Due, course.Exhausted)
	}
	arrived := v.Series.Columns[results.ColumnArrived]
	if e := course.Exhausted; e.Side == "" || e.Report < 2 || e.Report > int(arrived[len(arrived)-1]) {
		t.Errorf("exhausted %+v, want a side and a report of %d", e, v.Due)
	}
	if !v.Recovered || *record.Descriptors.Leaked != 0 {
		t.Errorf("recovered %v, %d left", v.Recovered, *record.Descriptors.Leaked)
	}
	if d := record.Documents; d.Lost+d.Duplicate+d.Corrupt+d.Foreign != 0 {
		t.Errorf("documents %+v", d)
	}
}

// Under the same overload, a bounded queue never exceeds its size and rejects the
// other reports; an unbounded one admits them all. (Package service tests the response
// times of admitted reports on a fake clock.)
func TestSheddingBoundsTheItemsInProgress(t *testing.T) {
	const limit, waiting, reports = 4, 20, 12
	overload := func(variant string) (v *results.Service, most int64) {
		record, _ := trialOf(t, newWaves(reports), loadScenario("80ms", 1024, variant))
		return record.Service, slices.Max(record.Service.Series.Columns[results.ColumnItemsOutstanding])
	}
	shed, most := overload(fmt.Sprintf("{strategy: bounded, limit: %d, scope: shared, waiting: %d}", limit, waiting))
	if most > limit+waiting || shed.OK < 2 || shed.Errors["http_5xx"] == 0 || shed.OK+shed.Errors["http_5xx"] != reports {
		t.Errorf("%d items in progress, %d reports done, errors %v: want at most %d, and the others turned away", most, shed.OK, shed.Errors, limit+waiting)
	}
	all, most := overload(fmt.Sprintf("{strategy: bounded, limit: %d, scope: shared}", limit))
	if most <= limit+waiting || all.OK != reports {
		t.Errorf("%d items in progress, %d reports done with a queue that is not bounded, errors %v: the load is none, and the test shows nothing", most, all.OK, all.Errors)
	}
}
