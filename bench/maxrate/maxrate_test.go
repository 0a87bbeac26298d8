package maxrate_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/maxrate"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/scenarios"
)

// The test binary is the binary of the SUT and of the environment's children as well.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch args := os.Args[2:]; {
		case os.Args[1] == sut.ChildArg:
			os.Exit(sut.Main(args, os.Stdin, os.Stdout, os.Stderr))
		case slices.Contains(environment.Children(), os.Args[1]):
			os.Exit(environment.RunChild(os.Args[1], args, os.Stdin, os.Stdout, os.Stderr))
		}
	}
	os.Exit(m.Run())
}

// twoWorkers is an upstream of two workers, each 20 ms on an item: 100 items a
// second, or 20 reports of 5.
const (
	twoWorkers = `version: 1
name: two-workers
title: An upstream of two workers
seed: 5
items: {kind: phone-numbers}
service: {report_items: 5, arrivals: {rate: 6}, duration: 1s, timeout: 5s, stall: 3s, recovery: 5s}
slo: {p99: 300ms}
upstream:
  latency: {distribution: constant, value: 20ms}
  capacity: {workers: 2}
  body: {min_records: 1, max_records: 2}
  late_bound: 1s
variants:
  - {name: shared, strategy: bounded, limit: 8, scope: shared}
levels: [{service.arrivals.rate: 6}]
blocks: 6
`
	trueRate = 20.0
)

func parse(t *testing.T, text string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plan runs one on the embedded environment, and reads its trials back.
func plan(ctx context.Context, t *testing.T, s *scenarios.Scenario, o capacity.SearchOptions, each func(p capacity.Point)) ([]capacity.Variant, *results.Run, error) {
	t.Helper()
	env, err := environment.Start(t.Context(), environment.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	header, err := maxrate.Header(s, o, env.Describe(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	store, err := results.Create(root, header)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	found, ran := maxrate.Run(ctx, maxrate.Options{
		Scenario: s, Search: o, Store: store, Trials: experiment.NewTrials(env, executable, store.ID()), Cores: 2,
		Tried: func(found []capacity.Variant, p capacity.Point) error {
			t.Logf("%+v", p)
			each(p)
			return nil
		},
		Note: func(text string) { t.Log(text) },
	})
	stored, err := results.Open(store.Dir())
	if err != nil {
		t.Fatal(err)
	}
	return found, stored, ran
}

func bounds(t *testing.T, s *scenarios.Scenario, window time.Duration) capacity.SearchOptions {
	t.Helper()
	o, err := maxrate.Bounds(s, window, 0)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A rate that held is not above what the upstream can do: of the reports that
// were due in the window w, 99 % were done within p99 after it, in which time
// the upstream does trueRate × (w + p99).
func TestTheRateIsNotAboveTheCapacity(t *testing.T) {
	s := parse(t, twoWorkers)
	o := bounds(t, s, time.Second)
	found, stored, err := plan(t.Context(), t, s, o, func(capacity.Point) {})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d variants, %v", len(found), err)
	}
	v := found[0]
	for _, p := range v.Points {
		w, p99 := p.Window.Seconds(), time.Duration(s.SLO.P99).Seconds()
		if most := trueRate*(w+p99)/(1-s.SLO.MaxErrors()) + 1; p.Verdict == capacity.Held && float64(p.Due) > most*1.01 {
			t.Errorf("%v/s held for %v, with %d reports of %.0f that can have been done", p.Rate, p.Window, p.Due, most)
		}
	}
	checkStored(t, v, stored)
	if v.End != capacity.Confirmed { // a machine that is very slow: nobody can tell, or it is below
		t.Skipf("%s, points %+v", v.End, v.Points)
	}
	if v.Failed <= v.Confirmed || v.Confirmed > trueRate*(1+0.05)*1.02 {
		t.Errorf("confirmed %v, failed %v, of %v", v.Confirmed, v.Failed, trueRate)
	}
	// On a busy machine fetches are slow at the lowest rate too: then the slots
	// that they hold are blamed, or the CPU.
	if b := v.Blame; b == nil || b.Resource != capacity.Upstream && b.Resource != capacity.CPU && b.Resource != capacity.Limit {
		t.Errorf("blamed %+v, want the upstream", b)
	}
}

// checkStored holds the points against the trials that were stored.
func checkStored(t *testing.T, v capacity.Variant, stored *results.Run) {
	t.Helper()
	if !stored.Header.Plan || stored.Complete || len(stored.Trials) != len(v.Points) {
		t.Fatalf("plan %v, complete %v, %d trials of %d points", stored.Header.Plan, stored.Complete, len(stored.Trials), len(v.Points))
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

// A mock that is too slow by its own bound decides nothing: there is no rate,
// and it says so.
func TestNoRateWhereTheMockIsTheBottleneck(t *testing.T) {
	s := parse(t, strings.Replace(twoWorkers, "late_bound: 1s", "late_bound: 1ns", 1))
	found, stored, err := plan(t.Context(), t, s, bounds(t, s, time.Second), func(capacity.Point) {})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d variants, %v", len(found), err)
	}
	v := found[0]
	if v.End != capacity.Undecided || v.Confirmed != 0 || v.Decided() || v.Blame != nil {
		t.Errorf("%+v: want no rate", v)
	}
	for _, p := range v.Points {
		if p.Verdict != capacity.Invalid || !strings.Contains(strings.Join(p.Why, ""), "mock upstream") {
			t.Errorf("%+v: want the mock to be blamed", p)
		}
	}
	for _, trial := range stored.Trials {
		if len(trial.Discarded) != 1 {
			t.Errorf("trial %d was tried %d times, want 2", trial.Index, 1+len(trial.Discarded))
		}
	}
}

// What was tried before an interruption is there, and stored.
func TestInterrupted(t *testing.T) {
	s := parse(t, twoWorkers)
	ctx, cancel := context.WithCancel(t.Context())
	found, stored, err := plan(ctx, t, s, bounds(t, s, time.Second), func(capacity.Point) { cancel() })
	if !errors.Is(err, context.Canceled) || len(found) != 1 {
		t.Fatalf("%d variants, %v", len(found), err)
	}
	if v := found[0]; v.End != capacity.Unfinished || len(v.Points) != 1 || v.Confirmed != 0 {
		t.Errorf("%+v: want one point", v)
	}
	checkStored(t, found[0], stored)
}

func TestBounds(t *testing.T) {
	s := parse(t, twoWorkers)
	o := bounds(t, s, 0)
	if o.Window != 5*time.Second || o.Confirm != 15*time.Second || o.Start != 6 || o.Least != 1 || o.Most != maxrate.DefaultMost {
		t.Errorf("%+v", o)
	}
	s.SLO.P99 = scenarios.Duration(4 * time.Second) // a window must be long enough to see it
	if o := bounds(t, s, 0); o.Window != 12*time.Second || o.Confirm != 80*time.Second {
		t.Errorf("%+v", o)
	}
	if o := bounds(t, s, 500*time.Millisecond); o.Least != 10 || o.Start != 10 {
		t.Errorf("%+v: want 5 reports in a window at least", o)
	}
	if _, err := maxrate.Bounds(s, time.Second, 4); err == nil {
		t.Error("4 reports a second are taken, in a window of a second")
	}
	s.SLO = nil
	if _, err := maxrate.Bounds(s, 0, 0); err == nil || !strings.Contains(err.Error(), "slo") {
		t.Errorf("without slo: %v", err)
	}
}

func TestLevel(t *testing.T) {
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
		at, name, others, err := maxrate.Level(s)
		if err != nil || at.SUT.NoFile != 256 && want.name != "" || name != want.name || others != want.others {
			t.Errorf("%s: %q and %d others, %v; want %q and %d", levels, name, others, err, want.name, want.others)
		}
	}
}
