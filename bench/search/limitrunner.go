package search

import (
	"context"
	"errors"

	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/scenarios"
)

// LimitOptions say how to search a limit.
type LimitOptions struct {
	// Scenario at its first level is what runs, but for variants and items.
	Scenario *scenarios.Scenario
	// Bounds of the search, see [NewLimitBounds].
	Bounds LimitBounds
	// Store is the place where trials go.
	Store *results.Store
	// Tester runs them.
	Tester experiment.Tester
	// Progress hears of every trial.
	Progress experiment.Progress
	// Found is filled: all but its points and what follows from them is set
	// already. Changed hears of it after every block; its error ends the search.
	Found   *capacity.Limits
	Changed func() error
}

// Policy of the trials, that of a run: a trial takes seconds, and one that is
// lost costs its limit a block. Failures in a row are counted across rounds.
const (
	limitRetries     = 4
	limitFailures    = 5
	limitFalseStarts = 3
)

// Limits finds out what a closed loop does at each of many limits, one round of
// trials after another. The error is that of ctx, of the store or of trials that
// could not be measured; what was found until then is in Found.
func Limits(ctx context.Context, o LimitOptions) error {
	r := &limitRunner{LimitOptions: o, trials: map[int][]results.Trial{}, busy: map[int]float64{}}
	r.tester = experiment.Watched{Tester: o.Tester, Watch: experiment.WatchMachine}
	r.runner = experiment.Runner{
		Tester: &r.tester, Append: o.Store.Append, Progress: o.Progress,
		Retries: limitRetries, MaxFailures: limitFailures, MaxFalseStarts: limitFalseStarts,
	}
	s := &limitSearch{first: o.Bounds.First, step: o.Bounds.Step, most: o.Bounds.Most, refine: o.Bounds.Refine}
	for limits := s.next(o.Found); limits != nil; limits = s.next(o.Found) {
		if err := r.round(ctx, limits, o.Bounds.Blocks); err != nil {
			return err
		}
		for range replacements {
			lacking, blocks := r.incomplete()
			if blocks == 0 {
				break
			}
			if err := r.round(ctx, lacking, blocks); err != nil {
				return err
			}
		}
	}
	return r.adaptive(ctx)
}

// replacements is the number of additional rounds that there may be of limits some of whose
// trials had no result, after each round.
const replacements = 2

// incomplete returns the limits some of whose trials had no result, but most had, and
// how many blocks they lack.
func (r *limitRunner) incomplete() (limits []int, blocks int) {
	for _, p := range r.Found.Points {
		if n := r.Bounds.Blocks - len(p.Runs); n > 0 && len(p.Runs) >= p.Lost {
			limits, blocks = append(limits, p.Limit), max(blocks, n)
		}
	}
	return limits, blocks
}

type limitRunner struct {
	LimitOptions
	tester experiment.Watched
	runner experiment.Runner

	index, block int // of the next trial and block
	trials       map[int][]results.Trial
	busy         map[int]float64 // by index
	found        []results.Trial // of the adaptive strategy
}

// round tries limits in so many blocks of random order.
func (r *limitRunner) round(ctx context.Context, limits []int, blocks int) error {
	planned, err := r.planned(limits, blocks)
	if err != nil {
		return err
	}
	limitOf := map[string]int{}
	for _, n := range limits {
		limitOf[r.Bounds.variant(n).Name] = n
	}
	left := len(limits)
	err = r.run(ctx, planned, func(t results.Trial) error {
		n := limitOf[t.Variant]
		r.trials[n] = append(r.trials[n], t)
		if left--; left > 0 {
			return nil
		}
		left = len(limits)
		return r.conclude()
	})
	r.block += blocks
	return errors.Join(err, r.conclude())
}

// run runs planned trials, and each hears of one that is stored.
func (r *limitRunner) run(ctx context.Context, planned []experiment.ScheduledTrial, each func(results.Trial) error) error {
	r.index += len(planned)
	r.runner.Stored = func(t results.Trial) (abort string, err error) {
		r.busy[t.Index] = r.tester.Busy
		return "", each(t)
	}
	return r.runner.Run(ctx, planned, nil)
}

// conclude makes the points of the trials that there are.
func (r *limitRunner) conclude() error {
	r.Found.Points = nil
	for n, trials := range r.trials {
		p, err := capacity.NewLimitPoint(n, r.Found.Strategy, trials)
		if err != nil {
			return err
		}
		p.SetBusy(r.busy)
		r.Found.Points = append(r.Found.Points, p)
	}
	r.Found.Adaptive = capacity.NewAdaptive(r.found)
	r.Found.Conclude()
	return r.Changed()
}

// adaptive lets the strategy find its limit that does so itself, as a cross-check.
func (r *limitRunner) adaptive(ctx context.Context) error {
	rec := r.Found.Recommendation
	if rec == nil || r.Bounds.Adaptive == 0 {
		return nil
	}
	planned, err := r.plannedAdaptive(r.Found.Limit(rec.Peak).Throughput.Estimate)
	if err != nil {
		return err
	}
	err = r.run(ctx, planned, func(t results.Trial) error {
		r.found = append(r.found, t)
		return nil
	})
	return errors.Join(err, r.conclude())
}
