package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"floodgate/bench/experiment"
	"floodgate/bench/search"
	"floodgate/results"
	"floodgate/scenarios"
)

// planning is what a plan's trials need: an environment and a store.
type planning struct {
	setup  *setup
	env    experiment.Environment
	store  *results.Store
	header results.Header
}

// planBackend is what a plan's trials run on: real servers, but in tests.
type planBackend interface {
	// start starts the environment of a plan.
	start(ctx context.Context, u *setup, root, id string) (experiment.Environment, error)
	// rates are the trials of a plan of rates, and what watches the machine.
	rates(p *planning) (experiment.Tester, experiment.Watch)
	// bounds are those of a plan of limits, which may be tightened.
	bounds(b search.LimitBounds) search.LimitBounds
}

// realServers are those that the flags ask for.
type realServers struct{}

func (realServers) start(ctx context.Context, u *setup, root, id string) (experiment.Environment, error) {
	env, err := u.start(ctx, root, id, false)
	if err != nil {
		return nil, err // and not an interface of a nil pointer
	}
	return env, nil
}

func (realServers) rates(p *planning) (experiment.Tester, experiment.Watch) {
	return p.trials(), experiment.WatchMachine
}

func (realServers) bounds(b search.LimitBounds) search.LimitBounds { return b }

// open starts the environment of a scenario, whose upstream must be a mock
// because of what the plan does to it, and creates the store, with its exit code
// where it cannot.
func (o planOptions) open(ctx context.Context, s *scenarios.Scenario, does string, header func(results.Environment) (results.Header, error)) (*planning, int, error) {
	setup, err := o.environment.prepare(s, o.note)
	if err != nil {
		code, err := codeOf(err)
		return nil, code, err
	}
	p := &planning{setup: setup}
	fail := func(code int, err error) (*planning, int, error) {
		p.close()
		return nil, code, err
	}
	if err := checkRoot(o.root); err != nil {
		return fail(exitUsage, err)
	}
	o.note(s.Name + ": " + s.Title)
	id := results.NewID(time.Now())
	if p.env, err = o.backend.start(ctx, setup, o.root, id); err != nil {
		_ = os.RemoveAll(filepath.Join(o.root, id)) // logs alone: their end is in the error
		return fail(codeOf(err))
	}
	if !p.env.Mock() {
		_ = os.RemoveAll(filepath.Join(o.root, id))
		return fail(exitUsage, errors.New(does+", so the upstream must be a mock of ours; allowed: no --upstream-url, or that of floodgate upstream --control"))
	}
	if p.header, err = header(p.env.Describe()); err != nil {
		return fail(exitUsage, err)
	}
	p.header.ID = id
	identify(ctx, &p.header, s)
	if p.store, err = results.Create(o.root, p.header); err != nil {
		return fail(exitUnmeasured, err)
	}
	return p, exitHeld, nil
}

func (p *planning) close() {
	if p.store != nil {
		p.store.Close()
	}
	if p.env != nil {
		_ = p.env.Close()
	}
	p.setup.close()
}

// trials of the plan.
func (p *planning) trials() *experiment.Trials {
	trials := experiment.NewTrials(p.env, p.setup.options.Executable, p.store.ID())
	trials.Container = p.setup.sut
	return trials
}

// cores that the SUT may use: those of its container, else of the machine.
func (p *planning) cores(contained float64) float64 {
	if contained > 0 {
		return contained
	}
	return float64(p.header.Fingerprint.Cores)
}
