package search

import (
	"context"
	"errors"
	"fmt"
	"time"

	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// RateOptions configures the search for the highest sustainable rate of each variant of a
// service.
type RateOptions struct {
	// Scenario is a service with an SLO; its variants are searched.
	Scenario *scenarios.Scenario
	// Limits holds the limits of the variants by their names; nil means that they are
	// not limits. See [RateLimits].
	Limits map[string]int
	// Bounds of the search for each variant; see [NewRateBounds].
	Bounds RateBounds
	// Store receives the trials.
	Store *results.Store
	// Tester runs the trials.
	Tester experiment.Tester
	// Cores is the number of cores of the machine.
	Cores int
	// Meter measures how busy the machine is during each trial; see [experiment.MeterMachine].
	Meter experiment.BusyMeter
	// Tried receives every rate that was tried with the results so far, of which the
	// last is the current variant; its error ends the search. Note receives messages that
	// a person should see at once. Neither may be nil.
	Tried func(found []capacity.Variant, p capacity.Point) error
	Note  func(text string)
}

// Policy of the trials of a rate.
const (
	// rateRetries is the number of retries of a rate that could not be measured, or at
	// which the mock or the generator was the bottleneck, possibly because of noise. A run
	// has four; here each takes a whole window, and the search can continue with an
	// inconclusive rate.
	rateRetries = 1
	// rateFailures ends the search for a variant at the first rate that could not be
	// measured even with its retry, because the next rate depends on it.
	rateFailures = 1
)

// Rates searches for the rates of all variants in turn. If it ends early, it returns the
// results so far. The error is that of ctx or of the store; a variant that cannot be
// measured is part of the results.
func Rates(ctx context.Context, o RateOptions) ([]capacity.Variant, error) {
	base, err := o.level()
	if err != nil {
		return nil, err
	}
	r := &rateRunner{RateOptions: o, base: base, tester: experiment.MeteredTester{Tester: o.Tester, Meter: o.Meter}}
	for _, v := range o.Scenario.Variants {
		if err := r.variant(ctx, v); err != nil {
			return r.found, err
		}
	}
	return r.found, nil
}

type rateRunner struct {
	RateOptions
	base   scenarios.Level
	tester experiment.MeteredTester
	index  int                // of the next trial
	found  []capacity.Variant // those begun
}

// variant searches for the rate of one variant and stores the results even if it ends early.
func (r *rateRunner) variant(ctx context.Context, v scenarios.Variant) error {
	search, err := NewRateSearch(r.Bounds)
	if err != nil {
		return err
	}
	begun := capacity.Variant{Variant: v.Name, Limit: r.Limits[v.Name], Rate: search.Result()}
	r.found = append(r.found, begun)
	found := &r.found[len(r.found)-1]
	trials := &experiment.Runner{
		Tester: &r.tester, Append: r.Store.Append, Progress: experiment.Notes(r.Note),
		Retries: rateRetries, Discard: r.discard, MaxFailures: rateFailures,
	}
	var seen []attempt
	for {
		probe, more := search.Next()
		if !more {
			return nil
		}
		t, err := r.probe(ctx, trials, v, probe)
		if failed := new(experiment.UnmeasuredError); errors.As(err, &failed) {
			found.Unmeasured = fmt.Sprintf("%g/s could not be measured: %s", probe.Rate, failed.Reason)
			return nil
		}
		if err != nil {
			return err
		}
		seen = append(seen, t)
		search.Add(t.point)
		found.Rate, found.Bottleneck = search.Result(), r.bottleneck(seen)
		if err := r.Tried(r.found, found.Points[len(found.Points)-1]); err != nil {
			return err
		}
	}
}

// attempt is a rate with its trial.
type attempt struct {
	point   capacity.Point
	trial   results.Trial
	machine capacity.Machine
	window  time.Duration
}

// bottleneck compares the lowest rate that failed with the lowest that passed.
func (r *rateRunner) bottleneck(seen []attempt) *capacity.Bottleneck {
	var failed, calm *attempt
	for i := range seen {
		switch t := &seen[i]; {
		case t.point.Decision == verdict.Failed && (failed == nil || t.point.Rate < failed.point.Rate):
			failed = t
		case t.point.Decision == verdict.Passed && (calm == nil || t.point.Rate < calm.point.Rate):
			calm = t
		}
	}
	if failed == nil {
		return nil
	}
	var quiet *results.Trial
	if calm != nil {
		quiet = &calm.trial
	}
	return new(capacity.FindBottleneck(failed.trial, quiet, failed.window, *r.base.Scenario.SLO, r.base.Scenario.SUT.NoFile, failed.machine))
}

// probe tries a rate.
func (r *rateRunner) probe(ctx context.Context, trials *experiment.Runner, v scenarios.Variant, p Probe) (attempt, error) {
	planned, err := r.planned(v, p)
	if err != nil {
		return attempt{}, err
	}
	r.index++
	record, err := trials.Trial(ctx, planned)
	if err != nil {
		return attempt{}, err
	}
	t := attempt{point: r.judge(record), trial: record, window: p.Window, machine: r.machine(record, r.tester.Busy)}
	t.point.Rate, t.point.Machine = p.Rate, t.machine
	return t, nil
}

func (r *rateRunner) judge(t results.Trial) capacity.Point {
	return capacity.Judge(t, *r.base.Scenario.SLO, r.base.Scenario.SUT.NoFile, r.base.Scenario.Service.Unit())
}

// discard returns the reason why a trial is repeated: it is inconclusive or could not be
// measured.
func (r *rateRunner) discard(t results.Trial) string {
	p := r.judge(t)
	switch {
	case p.Decision != verdict.Inconclusive && t.Outcome != results.OutcomeFailed:
		return ""
	case len(p.Why) > 0:
		return p.Why[0]
	}
	return t.Reason
}

// machine returns the machine's resources that were available to the SUT.
func (r *rateRunner) machine(t results.Trial, busy float64) capacity.Machine {
	m := capacity.Machine{Cores: float64(r.Cores), Busy: busy}
	if t.Container != nil && t.Container.CPUs > 0 {
		m.Cores = t.Container.CPUs
	}
	return m
}
