// Package simulated replaces trials of a service in tests by a queueing model on virtual
// time. A trial of a minute takes milliseconds, and its record is the same on every machine:
//
//	s := &simulated.Service{Workers: 2, Fetch: 20 * time.Millisecond}
//	trial, err := s.Run(ctx, planned) // at most 100 items per second
package simulated

import (
	"context"
	"fmt"
	"math"
	"time"

	"floodgate/bench/experiment"
	"floodgate/bench/load"
	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// Service runs trials of a simulated service with the arrivals of the trial. Items acquire a
// slot of the variant's shared limit in their order, are fetched from an upstream with
// Workers workers, each of which spends Fetch on an item, are written in Write, and then
// release the slot. A request of an HTTP service is one item, and the variable "limit" of
// the variant is its limit.
type Service struct {
	Workers      int
	Fetch, Write time.Duration
	// Change may change the record of attempt try, counted from 0; nil changes none.
	Change func(try int, t *results.Trial)
	// Died maps the number of an attempt to the result of the Ensure before it.
	Died map[int]string

	tries int
}

// Tries returns the number of attempts that were run.
func (s *Service) Tries() int { return s.tries }

// Ensure returns the entry of Died for the next attempt.
func (s *Service) Ensure(ctx context.Context) (died []string, err error) {
	if text, ok := s.Died[s.tries]; ok {
		died = append(died, text)
	}
	return died, ctx.Err()
}

// Mock returns true: it may be loaded until something gives way.
func (s *Service) Mock() bool { return true }

// Run runs a trial. The error is that of ctx.
func (s *Service) Run(ctx context.Context, t experiment.ScheduledTrial) (results.Trial, error) {
	if err := ctx.Err(); err != nil {
		return results.Trial{}, err
	}
	r := newServiceTrial(s, t)
	for _, due := range arrivals(t).Times() {
		r.arrive(due)
	}
	record, err := r.record()
	if err != nil {
		return results.Trial{}, err
	}
	if s.Change != nil {
		s.Change(s.tries, &record)
	}
	s.tries++
	return record, nil
}

// arrivals returns the arrivals of a trial with a constant rate.
func arrivals(t experiment.ScheduledTrial) load.Arrivals {
	s := t.Level.Scenario.Service
	if s.Arrivals.Pattern != "constant" {
		panic(fmt.Sprintf("arrivals of pattern %q are not simulated", s.Arrivals.Pattern))
	}
	return load.Arrivals{Rate: load.Constant(s.Arrivals.Rate), Poisson: s.Arrivals.Poisson, Seed: t.Seed, For: time.Duration(s.Duration)}
}

// slotsOf returns the shared limit of a variant and the number of items that may wait.
func slotsOf(v scenarios.Variant) (slots, waiting int) {
	waiting = math.MaxInt
	if v.Waiting != nil {
		waiting = *v.Waiting
	}
	own, isVar := v.Vars["limit"].(int)
	switch {
	case isVar:
		return own, waiting
	case v.Scope == "shared" && v.Limit > 0:
		return v.Limit, waiting
	case v.Strategy == pipeline.KindUnbounded:
		return math.MaxInt, waiting
	}
	panic(fmt.Sprintf("variant %s is not simulated: it has no shared limit", v.Name))
}

// Idle is the experiment.BusyMeter of an idle machine.
func Idle() (busiest func(window time.Duration) float64) {
	return func(time.Duration) float64 { return 0 }
}

// Environment replaces the servers of simulated trials.
type Environment struct{ experiment.Environment }

// Describe returns the description of a simulated environment.
func (Environment) Describe() results.Environment {
	return results.Environment{Kind: "embedded", Database: "simulated", Upstream: "simulated"}
}

// Mock returns true: it may be loaded until something gives way.
func (Environment) Mock() bool { return true }

// Close does nothing.
func (Environment) Close() error { return nil }
