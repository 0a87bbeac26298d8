package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"floodgate/bench/experiment"
	"floodgate/bench/search"
	"floodgate/bench/watch"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/noise"
	"floodgate/results/report/text"
	"floodgate/scenarios"
)

// runLimits sweeps the limits of one scenario, a closed loop.
func (o planOptions) runLimits(ctx context.Context, names []string) (int, error) {
	s, bounds, err := o.prepareLimits(names)
	if err != nil {
		return codeOr(exitUsage, err)
	}
	_, others, err := bounds.Level(s)
	if err != nil {
		return exitUsage, err
	}
	estimate, err := search.EstimateLimits(s, bounds)
	if err != nil {
		return exitUsage, err
	}
	p, code, err := o.open(ctx, s, "plan tries ever more requests at once", func(env results.Environment) (results.Header, error) {
		return search.LimitHeader(s, bounds, env, time.Now())
	})
	if err != nil {
		return code, err
	}
	defer p.close()
	plan, err := search.BegunLimits(s, bounds, p.header, capacity.NewTerms(o.p99, bounds.NoFile(), p.cores(bounds.CPUs())))
	if err != nil {
		return exitUsage, err
	}
	if others > 0 {
		o.note(fmt.Sprintf("planned at the first level alone, %s; the scenario has %d more", plan.Level, others))
	}
	o.note(fmt.Sprintf("limits of %s up to %d, in blocks of %d: about %s, more where throughput rises further",
		plan.Strategy, plan.MaxLimit, bounds.Blocks, text.InWords(estimate)))
	plan.Records, plan.Command = filepath.Join(p.store.Dir(), results.FileName), o.command.in(plan.Environment)
	return o.executeLimits(ctx, s, bounds, p, plan)
}

// prepareLimits checks the flags and loads the scenario.
func (o planOptions) prepareLimits(names []string) (*scenarios.Scenario, search.LimitBounds, error) {
	var none search.LimitBounds
	if !slices.Contains(planFormats, o.format) {
		return nil, none, badFormat(o.format, planFormats...)
	}
	all, err := loadScenarios(names, false)
	if err != nil {
		return nil, none, err
	}
	bounds, err := search.NewLimitBounds(all[0], o.maxLimit, o.quick)
	return all[0], o.backend.bounds(bounds), err
}

// executeLimits sweeps, stores what was found and prints it, also when it was interrupted.
func (o planOptions) executeLimits(ctx context.Context, s *scenarios.Scenario, bounds search.LimitBounds, p *planning, plan *capacity.Limits) (int, error) {
	path := filepath.Join(p.store.Dir(), planFile)
	view := watch.New(watch.Options{To: o.stderr, Quiet: o.quiet})
	failed := search.Limits(ctx, search.LimitOptions{
		Scenario: s, Bounds: bounds, Store: p.store, Tester: p.trials(), Progress: view, Found: plan,
		Changed: func() error { return storePlan(path, plan.ID, plan) },
	})
	view.Close()
	switch {
	case ctx.Err() != nil:
		plan.Interrupted = true
		failed = fmt.Errorf("%w: %w; what was found until then is stored in %s", experiment.ErrInterrupted, context.Cause(ctx), p.store.Dir())
	case failed != nil:
		plan.Unmeasured = failed.Error()
	}
	plan.Conclude()
	if run, err := results.Open(p.store.Dir()); err == nil && len(run.Trials) > 0 {
		plan.Noise = noise.OfMachine(run)
		if plan.Finished() {
			plan.Simulation = capacity.Simulated(run)
		}
	}
	failed = errors.Join(failed, p.env.Close(), storePlan(path, plan.ID, plan), printLimits(o.stdout, plan, o.format))
	if failed != nil {
		return exitUnmeasured, failed
	}
	return plan.Exit, nil
}
