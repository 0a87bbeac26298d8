// Package maxrate finds the highest rate of reports that each variant of a
// service sustains, by trials: each rate that is tried is one trial in a fresh
// SUT process, stored before the next one starts.
package maxrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"floodgate/bench/experiment"
	"floodgate/bench/meter"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/scenarios"
)

// Options of a plan.
type Options struct {
	// Scenario is a service with an SLO; its variants are searched.
	Scenario *scenarios.Scenario
	// Limits says that the variants are limits, see [Limits].
	Limits bool
	// Search bounds the search of each variant, see [Bounds].
	Search capacity.SearchOptions
	// Store is where trials go.
	Store *results.Store
	// Trials runs them.
	Trials Trials
	// Cores of the machine.
	Cores int
	// Watch watches the machine during each trial, see [WatchMachine].
	Watch Watch
	// Tried hears of every rate that was tried, with all that was found until
	// then, the variant at hand last; its error ends the plan. Note hears of what a
	// person should know at once. Neither may be nil.
	Tried func(found []capacity.Variant, p capacity.Point) error
	Note  func(text string)
}

// Trials runs trials of a service; those of package experiment do.
type Trials interface {
	// Ensure restarts what died of the environment and returns what that was.
	Ensure(ctx context.Context) (died []string, err error)
	// Run runs one trial; the error is that of ctx.
	Run(ctx context.Context, t experiment.PlannedTrial) (results.Trial, error)
}

// Watch begins to watch how busy the machine is. What it returns ends that, and
// returns the highest share of all cores in use over a window of this length; 0
// means unknown.
type Watch func() (busiest func(window time.Duration) float64)

// WatchMachine is the Watch of this machine.
func WatchMachine() (busiest func(window time.Duration) float64) { return meter.Watch().Stop }

// tries of one rate at which the mock or the generator was the bottleneck,
// which noise may have been.
const tries = 2

// Run searches one variant after another and returns what was found of each,
// of all that were begun when it ends early. The error is that of ctx or of
// the store; what cannot be measured is in the variant.
func Run(ctx context.Context, o Options) ([]capacity.Variant, error) {
	base, err := o.level()
	if err != nil {
		return nil, err
	}
	r := &runner{Options: o, base: base}
	for _, v := range o.Scenario.Variants {
		if err := r.variant(ctx, v); err != nil {
			return r.found, err
		}
	}
	return r.found, nil
}

type runner struct {
	Options
	base  scenarios.Level
	index int                // of the next trial
	found []capacity.Variant // those begun
}

// errUnmeasured ends the search of a variant.
var errUnmeasured = errors.New("could not be measured")

// variant searches one, and keeps what was found of it whenever it ends.
func (r *runner) variant(ctx context.Context, v scenarios.Variant) error {
	search, err := capacity.NewSearch(r.Search)
	if err != nil {
		return err
	}
	begun := capacity.Variant{Variant: v.Name, Rate: search.Result()}
	if r.Limits {
		begun.Limit = v.Limit
	}
	r.found = append(r.found, begun)
	found := &r.found[len(r.found)-1]
	var seen []tried
	for {
		probe, more := search.Next()
		if !more {
			return nil
		}
		t, err := r.probe(ctx, v, probe)
		if errors.Is(err, errUnmeasured) {
			found.Unmeasured = err.Error()
			return nil
		}
		if err != nil {
			return err
		}
		seen = append(seen, t)
		search.Add(t.point)
		found.Rate, found.Blame = search.Result(), r.blame(seen)
		if err := r.Tried(r.found, found.Points[len(found.Points)-1]); err != nil {
			return err
		}
	}
}

// tried is a rate with its trial.
type tried struct {
	point   capacity.Point
	trial   results.Trial
	machine capacity.Machine
	window  time.Duration
}

// blame looks at the lowest rate that failed, beside the lowest that held.
func (r *runner) blame(seen []tried) *capacity.Blame {
	var failed, calm *tried
	for i := range seen {
		switch t := &seen[i]; {
		case t.point.Verdict == capacity.Failed && (failed == nil || t.point.Rate < failed.point.Rate):
			failed = t
		case t.point.Verdict == capacity.Held && (calm == nil || t.point.Rate < calm.point.Rate):
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

// probe tries a rate, again where the mock or the generator was the bottleneck.
func (r *runner) probe(ctx context.Context, v scenarios.Variant, p capacity.Probe) (tried, error) {
	planned, err := r.planned(v, p)
	if err != nil {
		return tried{}, err
	}
	var discarded []results.Discarded
	for {
		died, err := r.Trials.Ensure(ctx)
		for _, text := range died {
			r.Note(text)
		}
		if err != nil {
			return tried{}, err
		}
		busiest := r.Watch()
		record, err := r.Trials.Run(ctx, planned)
		busy := busiest(p.Window)
		if err != nil {
			return tried{}, err
		}
		t := tried{
			point: capacity.Judge(record, *planned.Level.Scenario.SLO, planned.Level.Scenario.SUT.NoFile),
			trial: record, window: p.Window, machine: r.machine(record, busy),
		}
		t.point.Rate, t.point.Machine = p.Rate, t.machine
		again := t.point.Verdict == capacity.Invalid || record.Outcome == results.OutcomeFailed
		if again && len(discarded) < tries-1 {
			why := record.Reason
			if len(t.point.Why) > 0 {
				why = t.point.Why[0]
			}
			discarded = append(discarded, results.Discarded{Started: record.Started, Reason: why})
			continue
		}
		record.Discarded = discarded
		if err := r.Store.Append(record); err != nil {
			return tried{}, err
		}
		r.index++
		if record.Outcome == results.OutcomeFailed {
			return tried{}, fmt.Errorf("%g/s %w: %s", p.Rate, errUnmeasured, record.Reason)
		}
		return t, nil
	}
}

// machine is what the SUT had of it.
func (r *runner) machine(t results.Trial, busy float64) capacity.Machine {
	m := capacity.Machine{Cores: float64(r.Cores), Busy: busy}
	if t.Container != nil && t.Container.CPUs > 0 {
		m.Cores = t.Container.CPUs
	}
	return m
}
