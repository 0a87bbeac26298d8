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

// RateOptions say how to search the highest rate that each variant of a service
// sustains.
type RateOptions struct {
	// Scenario is a service with an SLO; its variants are searched.
	Scenario *scenarios.Scenario
	// Limits reports that the variants are limits, see [RateLimits].
	Limits bool
	// Bounds of the search of each variant, see [NewRateBounds].
	Bounds RateBounds
	// Store is the place where trials go.
	Store *results.Store
	// Tester runs them.
	Tester experiment.Tester
	// Cores of the machine.
	Cores int
	// Watch watches the machine during each trial, see [experiment.WatchMachine].
	Watch experiment.Watch
	// Tried hears of every rate that was tried, with all that was found until
	// then, the variant at hand last; its error ends the plan. Note hears of what a
	// person should know at once. Neither may be nil.
	Tried func(found []capacity.Variant, p capacity.Point) error
	Note  func(text string)
}

// Policy of the trials of a rate.
const (
	// rateRetries of a rate at which the mock or the generator was the bottleneck, which
	// noise may have been, or that could not be measured. A run has four of them;
	// here each takes a whole window, and the search can live with a rate that
	// decides nothing.
	rateRetries = 1
	// rateFailures ends the search of a variant with the first rate that could not be
	// measured in spite of its retry: the next rate depends on the answer.
	rateFailures = 1
)

// Rates searches one variant after another and returns what was found of each,
// of all that were begun when it ends early. The error is that of ctx or of
// the store; what cannot be measured is in the variant.
func Rates(ctx context.Context, o RateOptions) ([]capacity.Variant, error) {
	base, err := o.level()
	if err != nil {
		return nil, err
	}
	r := &rateRunner{RateOptions: o, base: base, tester: experiment.Watched{Tester: o.Tester, Watch: o.Watch}}
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
	tester experiment.Watched
	index  int                // of the next trial
	found  []capacity.Variant // those begun
}

// variant searches one, and keeps what was found of it whenever it ends.
func (r *rateRunner) variant(ctx context.Context, v scenarios.Variant) error {
	search, err := NewRateSearch(r.Bounds)
	if err != nil {
		return err
	}
	begun := capacity.Variant{Variant: v.Name, Rate: search.Result()}
	if r.Limits {
		begun.Limit = v.Limit
	}
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

// bottleneck looks at the lowest rate that failed, beside the lowest that held.
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
	return new(capacity.Blamed(failed.trial, quiet, failed.window, *r.base.Scenario.SLO, r.base.Scenario.SUT.NoFile, failed.machine))
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
	return capacity.Judge(t, *r.base.Scenario.SLO, r.base.Scenario.SUT.NoFile)
}

// discard returns why a trial is run again: it decides nothing, or could not be measured.
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

// machine returns what the SUT had of it.
func (r *rateRunner) machine(t results.Trial, busy float64) capacity.Machine {
	m := capacity.Machine{Cores: float64(r.Cores), Busy: busy}
	if t.Container != nil && t.Container.CPUs > 0 {
		m.Cores = t.Container.CPUs
	}
	return m
}
