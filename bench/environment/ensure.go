package environment

import (
	"context"
	"errors"
	"fmt"

	"floodgate/bench/environment/child"
)

// Died says how the children that have died since the last Ensure ended, each
// with the end of its log.
func (e *Environment) Died() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var died []string
	for _, p := range []*child.Process{e.upstream, e.mongo, e.proxy} {
		if p == nil {
			continue
		}
		if err := p.Err(); err != nil {
			died = append(died, err.Error())
		}
	}
	return died
}

// Ensure asks every child for an answer, and restarts those that have died or
// do not answer. It says how those ended, with the end of their logs. A
// database that was restarted is empty (unless KeepData is set) and an upstream
// has no profile; both have new addresses.
func (e *Environment) Ensure(ctx context.Context) (died []string, err error) {
	died, err = e.ensure(ctx)
	if err != nil {
		return died, fmt.Errorf("restart what died: %w", err)
	}
	return died, nil
}

func (e *Environment) ensure(ctx context.Context) (died []string, err error) {
	// replace restarts the child in its place if it does not pass the check.
	replace := func(place **child.Process, check func(context.Context, *child.Process) error, start func(context.Context) error) error {
		death := e.examine(ctx, place, check)
		if death == nil {
			return ctx.Err()
		}
		if death.Name != "" {
			died = append(died, death.Error())
		}
		return start(ctx)
	}
	if err := replace(&e.upstream, e.healthy, e.startUpstream); err != nil {
		return died, err
	}
	if err := replace(&e.mongo, e.pingMongo, e.startMongo); err != nil {
		return died, err
	}
	if !e.options.DatabaseLatency {
		return died, nil
	}
	return died, replace(&e.proxy, e.retarget, e.startProxy)
}

// examine returns how the child in a place ended, nil when it runs and passes
// the check, and a nameless Death when there was none. A child that does not
// pass is killed.
func (e *Environment) examine(ctx context.Context, place **child.Process, check func(context.Context, *child.Process) error) *child.Death {
	e.mu.Lock()
	p := *place
	e.mu.Unlock()
	if p == nil {
		return &child.Death{}
	}
	var failed error
	if p.Err() == nil {
		bounded, cancel := context.WithTimeout(ctx, e.options.ReadyTimeout)
		defer cancel()
		failed = check(bounded, p)
		if failed == nil || ctx.Err() != nil { // the caller gave up, which says nothing of the child
			return nil
		}
	}
	hung := p.Err() == nil
	_ = p.Stop(0)
	var death *child.Death
	if !errors.As(p.Err(), &death) {
		return nil // cannot be: it was stopped
	}
	if hung {
		death = &child.Death{Name: death.Name, Log: death.Log, State: fmt.Sprintf("killed, because it did not answer: %v", failed)}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	*place = nil
	return death
}

func (e *Environment) pingMongo(ctx context.Context, _ *child.Process) error {
	e.mu.Lock()
	client := e.client
	e.mu.Unlock()
	return client.Ping(ctx, nil)
}

// retarget makes sure that the proxy leads to the database that runs now.
func (e *Environment) retarget(ctx context.Context, p *child.Process) error {
	e.mu.Lock()
	target := addr(e.mongo).String()
	e.mu.Unlock()
	return p.Call(ctx, proxyRequest{Target: target})
}
