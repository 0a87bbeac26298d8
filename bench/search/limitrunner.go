package search

import (
	"context"
	"errors"
	"time"

	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/scenarios"
)

// LimitOptions configures a search for a limit.
type LimitOptions struct {
	// Scenario runs at its first level, with other variants and items.
	Scenario *scenarios.Scenario
	// Bounds of the search; see [NewLimitBounds].
	Bounds LimitBounds
	// Store receives the trials.
	Store *results.Store
	// Tester runs the trials.
	Tester experiment.Tester
	// Progress receives the events of every trial.
	Progress experiment.Progress
	// Result receives the points and the conclusions from them; its other fields are set
	// by the caller. Changed is called after every block; its error ends the search.
	Result  *capacity.Limits
	Changed func() error
}

// Policy of the trials, which is that of a run, because a trial takes seconds and a lost
// one costs its limit a block. Consecutive failures are counted across rounds.
const (
	limitRetries     = 4
	limitFailures    = 5
	limitFalseStarts = 3
)

// Limits measures a closed loop, or the open loop of an HTTP service, at many limits, in
// rounds of trials. The error is that of
// ctx, of the store, or of trials that could not be measured; Result then holds the results
// so far.
func Limits(ctx context.Context, o LimitOptions) error {
	r := &limitRunner{LimitOptions: o, trials: map[int][]results.Trial{}, busy: map[int]float64{}, took: map[int]time.Duration{}}
	r.tester = experiment.MeteredTester{Tester: o.Tester, Meter: experiment.MeterMachine}
	r.runner = experiment.Runner{
		Tester: &r.tester, Append: o.Store.Append, Progress: o.Progress,
		Retries: limitRetries, MaxFailures: limitFailures, MaxFalseStarts: limitFalseStarts,
	}
	s := &limitSearch{first: o.Bounds.First, step: o.Bounds.Step, most: o.Bounds.Max, refine: o.Bounds.Refine, only: o.Bounds.Only}
	for limits := s.next(o.Result); limits != nil; limits = s.next(o.Result) {
		if err := r.complete(ctx, limits); err != nil {
			return err
		}
	}
	if err := r.decide(ctx); err != nil {
		return err
	}
	if limits := s.around(o.Result); limits != nil {
		if err := r.complete(ctx, limits); err != nil {
			return err
		}
		if err := r.decide(ctx); err != nil {
			return err
		}
	}
	o.Result.Sampled = true
	if err := r.conclude(); err != nil {
		return err
	}
	return r.adaptive(ctx)
}

// complete tries limits in a round, and repeats blocks that have lost trials.
func (r *limitRunner) complete(ctx context.Context, limits []int) error {
	if err := r.round(ctx, limits, r.Bounds.Blocks); err != nil {
		return err
	}
	for range limitReruns {
		lacking, blocks := r.incomplete()
		if blocks == 0 {
			break
		}
		if err := r.round(ctx, lacking, blocks); err != nil {
			return err
		}
	}
	return nil
}

// decide runs further blocks of the limits that may suffice, with the best one, until the
// interim analyses have decided all of them or the budget is spent.
func (r *limitRunner) decide(ctx context.Context) error {
	for {
		limits, blocks := r.Result.Wanted()
		if limits == nil {
			return nil
		}
		perBlock := time.Duration(1)
		for _, n := range limits {
			perBlock += r.took[n]
		}
		affordable := int((r.Bounds.Budget - r.spent) / perBlock)
		if affordable < 1 {
			r.Result.Spent = true
			return nil
		}
		began, measured := time.Now(), r.measured(limits)
		err := r.round(ctx, limits, min(blocks, affordable))
		r.spent += time.Since(began)
		if err != nil || r.measured(limits) == measured { // no trial had a result
			return err
		}
	}
}

// measured returns the number of measured trials of limits.
func (r *limitRunner) measured(limits []int) (n int) {
	for _, limit := range limits {
		n += len(r.Result.Limit(limit).Runs)
	}
	return n
}

// limitReruns is the greatest number of additional rounds, after each round, for limits
// with incomplete blocks. bench/experiment/retry.go states the whole policy of running
// trials again.
const limitReruns = 2

// incomplete returns the limits of which some trials, but not most, had no result, and the
// number of blocks to repeat.
func (r *limitRunner) incomplete() (limits []int, blocks int) {
	for _, p := range r.Result.Points {
		if n := r.Bounds.Blocks - len(p.Runs); n > 0 && len(p.Runs) >= p.Lost {
			limits, blocks = append(limits, p.Limit), max(blocks, n)
		}
	}
	return limits, blocks
}

type limitRunner struct {
	LimitOptions
	tester experiment.MeteredTester
	runner experiment.Runner

	index, block int // of the next trial and block
	trials       map[int][]results.Trial
	busy         map[int]float64       // by index
	took         map[int]time.Duration // by the last trial of a limit, with its repetitions
	spent        time.Duration         // of the budget
	found        []results.Trial       // of the adaptive strategy
}

// round tries limits in the given number of blocks.
func (r *limitRunner) round(ctx context.Context, limits []int, blocks int) error {
	planned, err := r.planned(limits, blocks)
	if err != nil {
		return err
	}
	limitOf := map[string]int{}
	for _, n := range limits {
		limitOf[r.Bounds.variant(n).Name] = n
	}
	left, last := len(limits), time.Now()
	err = r.run(ctx, planned, func(t results.Trial) error {
		n, now := limitOf[t.Variant], time.Now()
		r.took[n], last = now.Sub(last), now
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

// run runs planned trials and calls each for every stored one.
func (r *limitRunner) run(ctx context.Context, planned []experiment.ScheduledTrial, each func(results.Trial) error) error {
	r.index += len(planned)
	r.runner.Stored = func(t results.Trial) (abort string, err error) {
		r.busy[t.Index] = r.tester.Busy
		return "", each(t)
	}
	return r.runner.Run(ctx, planned, nil)
}

// conclude computes the points from the stored trials.
func (r *limitRunner) conclude() error {
	r.Result.Points = nil
	strategy := r.Result.Strategy
	if r.Result.Vary != "" { // the strategy's slots are not varied
		strategy = ""
	}
	for n, trials := range r.trials {
		p, err := capacity.NewLimitPoint(n, strategy, trials)
		if err != nil {
			return err
		}
		p.SetBusy(r.busy)
		r.Result.Points = append(r.Result.Points, p)
	}
	r.Result.Adaptive = capacity.NewAdaptive(r.found)
	r.Result.Conclude()
	return r.Changed()
}

// adaptive runs the adaptive strategy, which finds its own limit, for comparison.
func (r *limitRunner) adaptive(ctx context.Context) error {
	rec := r.Result.Recommendation
	if rec == nil || r.Bounds.Adaptive == 0 {
		return nil
	}
	planned, err := r.plannedAdaptive(r.Result.Limit(rec.Peak).Throughput.Estimate)
	if err != nil {
		return err
	}
	err = r.run(ctx, planned, func(t results.Trial) error {
		r.found = append(r.found, t)
		return nil
	})
	var unsupported *experiment.UnsupportedError
	if errors.As(err, &unsupported) { // a program of the user's own need not know it
		r.Progress.Note("the adaptive strategy was not tried: " + unsupported.Reason)
		err = nil
	}
	return errors.Join(err, r.conclude())
}
