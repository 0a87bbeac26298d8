// Package simulated stands in for trials of a service in tests of what decides
// on them. A queueing model runs on virtual time: a trial of a minute takes
// milliseconds, and its record is the same on every machine.
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

// Service runs trials of a simulated service. Reports come as the trial says.
// Their items take a slot of the variant's shared limit, in the order in which
// they came, are fetched from an upstream of Workers that each spend Fetch on an
// item, are written in Write, and then give the slot back.
type Service struct {
	Workers      int
	Fetch, Write time.Duration
	// Change may alter the record of a trial; tries count from 0; nil means none is.
	Change func(try int, t *results.Trial)
	// Died is what Ensure says before each trial, by its try.
	Died map[int]string

	tries int
}

// Tries returns how many trials were run.
func (s *Service) Tries() int { return s.tries }

// Ensure describes what died before the next trial.
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
	r := newCourse(s, t)
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

// arrivals returns those of a constant rate.
func arrivals(t experiment.ScheduledTrial) load.Arrivals {
	s := t.Level.Scenario.Service
	if s.Arrivals.Pattern != "constant" {
		panic(fmt.Sprintf("arrivals of pattern %q are not simulated", s.Arrivals.Pattern))
	}
	return load.Arrivals{Rate: load.Constant(s.Arrivals.Rate), Poisson: s.Arrivals.Poisson, Seed: t.Seed, For: time.Duration(s.Duration)}
}

// slotsOf returns the shared limit of a variant, and how many items may wait for it.
func slotsOf(v scenarios.Variant) (slots, waiting int) {
	waiting = math.MaxInt
	if v.Waiting != nil {
		waiting = *v.Waiting
	}
	switch {
	case v.Scope == "shared" && v.Limit > 0:
		return v.Limit, waiting
	case v.Strategy == pipeline.KindUnbounded:
		return math.MaxInt, waiting
	}
	panic(fmt.Sprintf("variant %s is not simulated: it has no shared limit", v.Name))
}

// Idle watches a machine that does nothing.
func Idle() (busiest func(window time.Duration) float64) {
	return func(time.Duration) float64 { return 0 }
}

// Environment stands in for the servers of simulated trials.
type Environment struct{ experiment.Environment }

// Describe names it.
func (Environment) Describe() results.Environment {
	return results.Environment{Kind: "embedded", Database: "simulated", Upstream: "simulated"}
}

// Mock returns true: it may be loaded until something gives way.
func (Environment) Mock() bool { return true }

// Close does nothing.
func (Environment) Close() error { return nil }
