package search_test

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/internal/simulated"
	"floodgate/bench/search"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// twoWorkers has an upstream of two workers that spend 20 ms on an item: 100 items per
// second, or 20 reports of 5.
const (
	twoWorkers = `version: 1
name: two-workers
title: An upstream of two workers
seed: 5
items: {kind: phone-numbers}
service: {report_items: 5, arrivals: {rate: 6}, duration: 1s, timeout: 30s, stall: 30s, recovery: 30s}
slo: {p99: 300ms}
upstream:
  latency: {distribution: constant, value: 20ms}
  capacity: {workers: 2}
  body: {min_records: 1, max_records: 2}
  late_bound: 10s
variants:
  - {name: shared, strategy: bounded, limit: 8, scope: shared}
levels: [{service.arrivals.rate: 6}]
blocks: 6
`
	trueRate = 20.0
)

// simulatedWorkers is the simulated service that twoWorkers describes.
func simulatedWorkers() *simulated.Service {
	return &simulated.Service{Workers: 2, Fetch: 20 * time.Millisecond, Write: time.Millisecond}
}

// planned holds the results of a plan and its stored trials.
type planned struct {
	found  []capacity.Variant
	stored *results.Run
	notes  []string
	err    error
}

// only returns the result of the only variant.
func (p planned) only(t *testing.T) capacity.Variant {
	t.Helper()
	if p.err != nil || len(p.found) != 1 {
		t.Fatalf("%d variants, %v", len(p.found), p.err)
	}
	return p.found[0]
}

// simulate plans the rates of a simulated service on an idle machine.
func simulate(ctx context.Context, t *testing.T, s *scenarios.Scenario, service *simulated.Service, o search.RateOptions) planned {
	t.Helper()
	store := create(t, s, o.Bounds, simulated.Environment{}.Describe())
	o.Scenario, o.Store, o.Tester = s, store, service
	if o.Meter == nil {
		o.Meter = simulated.Idle
	}
	return plan(ctx, t, o)
}

func create(t *testing.T, s *scenarios.Scenario, o search.RateBounds, env results.Environment) *results.Store {
	t.Helper()
	header, err := search.RateHeader(s, o, env, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	store, err := results.Create(t.TempDir(), header)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// plan runs a plan and reads the trials back.
func plan(ctx context.Context, t *testing.T, o search.RateOptions) (p planned) {
	t.Helper()
	o.Cores = 2
	o.Note = func(text string) { p.notes = append(p.notes, text) }
	if o.Tried == nil {
		o.Tried = func([]capacity.Variant, capacity.Point) error { return nil }
	}
	p.found, p.err = search.Rates(ctx, o)
	var err error
	if p.stored, err = results.Open(o.Store.Dir()); err != nil {
		t.Fatal(err)
	}
	return p
}

func rateBounds(t *testing.T, s *scenarios.Scenario, window time.Duration) search.RateBounds {
	t.Helper()
	o, err := search.NewRateBounds(s, search.RateValues{Window: window, Confirmations: 1})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// The plan finds the rate and the bottleneck of a service of known capacity. A rate
// sustained for a window w with a p99 of p may exceed the capacity by p ÷ w, and bisection
// ends within a tenth of a failed rate.
func TestRateOfAKnownService(t *testing.T) {
	type change func(s *scenarios.Scenario, service *simulated.Service)
	none := func(*scenarios.Scenario, *simulated.Service) {}
	for name, c := range map[string]struct {
		change     change
		capacity   float64 // in reports a second
		bottleneck capacity.Resource
	}{
		"upstream":        {none, trueRate, capacity.Upstream},
		"more workers":    {func(_ *scenarios.Scenario, v *simulated.Service) { v.Workers = 4 }, 40, capacity.Upstream},
		"a slow upstream": {func(_ *scenarios.Scenario, v *simulated.Service) { v.Fetch = 40 * time.Millisecond }, trueRate / 2, capacity.Upstream},
		"limit":           {func(s *scenarios.Scenario, _ *simulated.Service) { s.Variants[0].Limit = 1 }, 1000. / 21 / 5, capacity.Limit},
		"queue":           {func(s *scenarios.Scenario, _ *simulated.Service) { s.Variants[0].Waiting = new(10) }, trueRate, capacity.Queue},
		"descriptors": {func(s *scenarios.Scenario, _ *simulated.Service) {
			s.Variants[0].Limit, s.SUT.NoFile = 60, 64
		}, trueRate, capacity.Descriptors},
	} {
		t.Run(name, func(t *testing.T) {
			s, service := parse(t, twoWorkers), simulatedWorkers()
			c.change(s, service)
			o := rateBounds(t, s, time.Second)
			p := simulate(t.Context(), t, s, service, search.RateOptions{Bounds: o})
			v := p.only(t)
			checkStored(t, v, p.stored)
			most := c.capacity * (1 + time.Duration(s.SLO.P99).Seconds()/o.Confirm.Seconds()) / (1 - s.SLO.MaxErrors())
			if v.End != capacity.Confirmed || v.Confirmed > most || v.Confirmed < c.capacity/1.25 || v.Failed <= v.Confirmed {
				t.Errorf("%s, confirmed %v, failed %v, of a capacity of %v", v.End, v.Confirmed, v.Failed, c.capacity)
			}
			if v.Bottleneck == nil || v.Bottleneck.Resource != c.bottleneck {
				t.Errorf("bottleneck %+v, want the %s", v.Bottleneck, c.bottleneck)
			}
		})
	}
}

// The highest and the lowest rate that may be tried are not taken for the capacity.
func TestRatesOutsideTheBounds(t *testing.T) {
	s := parse(t, twoWorkers)
	o := rateBounds(t, s, time.Second)
	o.Max = 12
	if v := simulate(t.Context(), t, s, simulatedWorkers(), search.RateOptions{Bounds: o}).only(t); v.End != capacity.AtLeast || v.Confirmed != 12 || v.Failed != 0 || v.Bottleneck != nil {
		t.Errorf("at most 12/s: %+v, want at least 12", v)
	}
	slow := simulatedWorkers()
	slow.Fetch = 200 * time.Millisecond // 2 reports a second
	if v := simulate(t.Context(), t, s, slow, search.RateOptions{Bounds: rateBounds(t, s, time.Second)}).only(t); v.End != capacity.Below || v.Confirmed != 0 || v.Failed != 5 {
		t.Errorf("at least 5/s: %+v, want below 5", v)
	}
}

// A fully used machine is the bottleneck, not the components that became slower on it.
func TestBusyMachineIsTheBottleneck(t *testing.T) {
	s := parse(t, twoWorkers)
	var windows []time.Duration
	v := simulate(t.Context(), t, s, simulatedWorkers(), search.RateOptions{
		Bounds: rateBounds(t, s, time.Second),
		Meter: func() func(time.Duration) float64 {
			return func(window time.Duration) float64 { windows = append(windows, window); return 0.99 }
		},
	}).only(t)
	if v.End != capacity.Confirmed || v.Bottleneck == nil || v.Bottleneck.Resource != capacity.CPU || !strings.Contains(v.Bottleneck.Detail, "99 %") {
		t.Errorf("%s, blamed %+v, want the CPU", v.End, v.Bottleneck)
	}
	for i, p := range v.Points {
		if p.Machine.Busy != 0.99 || windows[i] != p.Window {
			t.Errorf("%+v, watched over %v", p, windows[i])
		}
	}
}

// checkStored compares the points with the trials that were stored.
func checkStored(t *testing.T, v capacity.Variant, stored *results.Run) {
	t.Helper()
	if !stored.Header.Search || stored.Complete || len(stored.Trials) != len(v.Points) {
		t.Fatalf("plan %v, complete %v, %d trials of %d points", stored.Header.Search, stored.Complete, len(stored.Trials), len(v.Points))
	}
	for i, p := range v.Points {
		trial := stored.Trials[i]
		if p.Trial != trial.Index || trial.Level["service.arrivals.rate"] != p.Rate || trial.Level["service.duration"] != p.Window.String() ||
			trial.Service.Due != p.Due || trial.Variant != v.Variant {
			t.Errorf("point %+v has trial %d of %s at %v with %d reports", p, trial.Index, trial.Variant, trial.Level, trial.Service.Due)
		}
		if want := int(p.Rate * p.Window.Seconds()); p.Due < want-1 || p.Due > want+1 {
			t.Errorf("%d reports at %v/s in %v", p.Due, p.Rate, p.Window)
		}
	}
}

// tooSlow makes the first attempts at a trial invalid, as if the mock were the bottleneck.
func tooSlow(t *results.Trial) {
	t.Outcome, t.Reason = results.OutcomeInvalid, "the mock upstream was too slow: it answered late"
}

// With a mock that is too slow, each rate is tried twice, there is no result, and the reason
// is the mock.
func TestNoRateWhereTheMockIsTheBottleneck(t *testing.T) {
	s, service := parse(t, twoWorkers), simulatedWorkers()
	service.Change = func(_ int, t *results.Trial) { tooSlow(t) }
	p := simulate(t.Context(), t, s, service, search.RateOptions{Bounds: rateBounds(t, s, time.Second)})
	v := p.only(t)
	if v.End != capacity.Undecided || v.Confirmed != 0 || v.Decided() || v.Bottleneck != nil || len(v.Points) == 0 {
		t.Errorf("%+v: want no rate", v)
	}
	for _, p := range v.Points {
		if p.Decision != verdict.Inconclusive || !strings.Contains(strings.Join(p.Why, ""), "mock upstream") {
			t.Errorf("%+v: want the mock to be blamed", p)
		}
	}
	for _, trial := range p.stored.Trials {
		if len(trial.Discarded) != 1 || !strings.Contains(trial.Discarded[0].Reason, "mock upstream") {
			t.Errorf("trial %d was tried %d times, want 2: %+v", trial.Index, 1+len(trial.Discarded), trial.Discarded)
		}
	}
	if service.Tries() != 2*len(v.Points) {
		t.Errorf("%d tries of %d rates, want 2 each", service.Tries(), len(v.Points))
	}
}

// A mock that is briefly too slow costs one attempt and does not change the result.
func TestTransientNoiseChangesNothing(t *testing.T) {
	s := parse(t, twoWorkers)
	o := search.RateOptions{Bounds: rateBounds(t, s, time.Second)}
	want := simulate(t.Context(), t, s, simulatedWorkers(), o).only(t)
	service := simulatedWorkers()
	service.Change = func(try int, t *results.Trial) {
		if try%2 == 0 {
			tooSlow(t)
		}
	}
	if got := simulate(t.Context(), t, s, service, o).only(t); !reflect.DeepEqual(got, want) {
		t.Errorf("found %+v\nwant %+v", got, want)
	}
}

// A trial that cannot be measured twice ends the search for its variant, but not for the
// next one.
func TestUnmeasurableRates(t *testing.T) {
	s := parse(t, strings.Replace(twoWorkers, "variants:\n", "variants:\n  - {name: first, strategy: bounded, limit: 4, scope: shared}\n", 1))
	service := simulatedWorkers()
	service.Change = func(_ int, t *results.Trial) {
		if t.Variant == "first" && t.Index == 1 {
			t.Outcome, t.Reason = results.OutcomeFailed, "the database is gone"
		}
	}
	service.Died = map[int]string{2: "the database died"}
	p := simulate(t.Context(), t, s, service, search.RateOptions{Bounds: rateBounds(t, s, time.Second)})
	if p.err != nil || len(p.found) != 2 || !slices.Equal(p.notes, []string{"the database died"}) {
		t.Fatalf("%d variants, %v, notes %q", len(p.found), p.err, p.notes)
	}
	first, second := p.found[0], p.found[1]
	if len(first.Points) != 1 || first.Decided() || first.Unmeasured != "12/s could not be measured: the database is gone" {
		t.Errorf("first: %+v", first)
	}
	if second.Unmeasured != "" || second.End != capacity.Confirmed {
		t.Errorf("second: %+v", second)
	}
	if failed := p.stored.Trials[1]; failed.Outcome != results.OutcomeFailed || len(failed.Discarded) != 1 || len(p.stored.Trials) != 2+len(second.Points) {
		t.Errorf("%d trials are stored, the second is %+v", len(p.stored.Trials), failed)
	}
}

// The results before an interruption are returned and stored.
func TestInterruptedRates(t *testing.T) {
	s := parse(t, twoWorkers)
	ctx, cancel := context.WithCancel(t.Context())
	p := simulate(ctx, t, s, simulatedWorkers(), search.RateOptions{
		Bounds: rateBounds(t, s, time.Second),
		Tried:  func([]capacity.Variant, capacity.Point) error { cancel(); return nil },
	})
	if !errors.Is(p.err, context.Canceled) || len(p.found) != 1 {
		t.Fatalf("%d variants, %v", len(p.found), p.err)
	}
	if v := p.found[0]; v.End != capacity.Unfinished || len(v.Points) != 1 || v.Confirmed != 0 {
		t.Errorf("%+v: want one point", v)
	}
	checkStored(t, p.found[0], p.stored)
}

// In a plan on real servers, the result follows from the stored trials, however slow the
// machine is.
func TestPlanOnRealServers(t *testing.T) {
	s := parse(t, twoWorkers)
	s.SLO.P99 = scenarios.Duration(30 * time.Second)
	env, err := environment.Start(t.Context(), environment.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := search.RateBounds{Start: 6, Min: 6, Max: 6, Window: time.Second, Confirm: 2 * time.Second}
	store := create(t, s, o, env.Describe())
	var tried []capacity.Point
	p := plan(t.Context(), t, search.RateOptions{
		Scenario: s, Bounds: o, Store: store, Tester: experiment.NewTrials(env, executable, store.ID()), Meter: experiment.MeterMachine,
		Tried: func(_ []capacity.Variant, p capacity.Point) error { tried = append(tried, p); return nil },
	})
	v := p.only(t)
	checkStored(t, v, p.stored)
	if v.Unmeasured != "" || !reflect.DeepEqual(tried, v.Points) {
		t.Errorf("%+v, told of %+v", v, tried)
	}
	for i, p := range p.stored.Trials {
		want := capacity.Judge(p, *s.SLO, s.SUT.NoFile, "report")
		if got := v.Points[i]; got.Decision != want.Decision || !slices.Equal(got.Why, want.Why) || !reflect.DeepEqual(got.Figures, want.Figures) {
			t.Errorf("%+v, its record says %+v", got, want)
		}
		if p.Outcome == results.OutcomeOK && (p.Service.OK != p.Service.Due || p.Documents.Violations() > 0) {
			t.Errorf("%d of %d reports done, documents %+v", p.Service.OK, p.Service.Due, p.Documents)
		}
	}
}

func TestRateBounds(t *testing.T) {
	s := parse(t, twoWorkers)
	o := rateBounds(t, s, 0)
	if o.Window != 5*time.Second || o.Confirm != 15*time.Second || o.Start != 6 || o.Min != 1 || o.Max != search.DefaultMaxRate {
		t.Errorf("%+v", o)
	}
	s.SLO.P99 = scenarios.Duration(4 * time.Second) // a window must be long enough to see it
	if o := rateBounds(t, s, 0); o.Window != 12*time.Second || o.Confirm != 80*time.Second {
		t.Errorf("%+v", o)
	}
	if o := rateBounds(t, s, 500*time.Millisecond); o.Min != 10 || o.Start != 10 {
		t.Errorf("%+v: want 5 reports in a window at least", o)
	}
	if _, err := search.NewRateBounds(s, search.RateValues{Window: time.Second, Most: 4}); err == nil {
		t.Error("4 reports a second are taken, in a window of a second")
	}
	s.SLO = nil
	if _, err := search.NewRateBounds(s, search.RateValues{}); err == nil || !strings.Contains(err.Error(), "slo") {
		t.Errorf("without slo: %v", err)
	}
}

func TestRateLevel(t *testing.T) {
	for levels, want := range map[string]struct {
		name   string
		others int
	}{
		"[{service.arrivals.rate: 6}]":                                 {"", 0},
		"[{service.arrivals.rate: [6, 12]}]":                           {"", 0},
		"[{service.arrivals.rate: [6, 12], sut.nofile: [256, 512]}]":   {"sut.nofile=256", 1},
		"[{sut.nofile: 256, service.duration: 2s}, {sut.nofile: 512}]": {"sut.nofile=256", 1},
	} {
		s := parse(t, strings.Replace(twoWorkers, "[{service.arrivals.rate: 6}]", levels, 1))
		at, name, others, err := search.RateLevel(s)
		if err != nil || at.SUT.NoFile != 256 && want.name != "" || name != want.name || others != want.others {
			t.Errorf("%s: %q and %d others, %v; want %q and %d", levels, name, others, err, want.name, want.others)
		}
	}
}
