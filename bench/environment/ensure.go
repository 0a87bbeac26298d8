package environment

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"floodgate/bench/environment/child"
)

// Died describes the ends of the servers that have died since the last Ensure, each
// with the end of its log.
func (e *Environment) Died() []string {
	var died []string
	for _, s := range e.servers() {
		if s == nil {
			continue
		}
		if err := s.Err(); err != nil {
			died = append(died, e.Scrub(err.Error()))
		}
	}
	return died
}

// Watch watches the servers that the environment runs, but not the user's own. The
// context alive is canceled as soon as one of them ends. The function ended stops
// watching and describes the ends, each with the end of its log; none means that all
// servers ran until then. It has each answer a request first, because a request can fail
// before the end of the process is known. It must be called.
func (e *Environment) Watch(ctx context.Context) (alive context.Context, ended func() []string) {
	alive, cancel := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	for _, s := range e.servers() {
		if s == nil || s.Done() == nil {
			continue
		}
		watchers.Go(func() {
			select {
			case <-s.Done():
				cancel()
			case <-alive.Done():
			}
		})
	}
	return alive, func() []string {
		e.askAll(ctx, alive)
		cancel()
		watchers.Wait()
		return e.Died()
	}
}

// askAll sends a request to each server that the environment runs, and waits for the end
// of one that does not answer. It returns when alive, the context of Watch, is canceled.
func (e *Environment) askAll(ctx, alive context.Context) {
	ask := [3]func() error{
		func() error { return e.healthy(alive) },
		func() error { return e.pingMongo(alive) },
		func() error { return e.callProxy(ctx, proxyRequest{}) }, // a call that is canceled breaks the proxy, and one to a proxy that has ended returns
	}
	for i, s := range e.servers() {
		if alive.Err() == nil && s != nil && s.Done() != nil && ask[i]() != nil {
			_ = awaitEnd(alive, s)
		}
	}
}

// servers returns upstream, database and proxy; nil means that there is none.
func (e *Environment) servers() [3]server {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all [3]server
	if e.upstream != nil {
		all[0] = e.upstream.server
	}
	if e.mongo != nil {
		all[1] = e.mongo.server
	}
	if e.proxy != nil {
		all[2] = local{e.proxy}
	}
	return all
}

// Ensure restarts the servers that have died or do not answer and describes their ends,
// with the end of their logs. A restarted database is empty unless KeepData is set, a
// restarted upstream has no profile, and both have new addresses. An external server
// that does not answer is an error.
func (e *Environment) Ensure(ctx context.Context) (died []string, err error) {
	died, err = e.ensure(ctx)
	if err != nil {
		return died, fmt.Errorf("restart servers that ended: %w", e.scrubber.Error(err))
	}
	return died, nil
}

func (e *Environment) ensure(ctx context.Context) (died []string, err error) {
	all := e.servers()
	parts := []struct {
		server server
		check  func(context.Context) error
		forget func()
		start  func(context.Context) error
	}{
		{all[0], e.healthy, func() { e.upstream = nil }, e.startUpstream},
		{all[1], e.pingMongo, func() { e.mongo = nil }, e.startMongo},
		{all[2], e.retarget, func() { e.proxy = nil }, e.startProxy},
	}
	if !e.options.Link {
		parts = parts[:2]
	}
	for _, p := range parts {
		how, lives := e.examine(ctx, p.server, p.check)
		if lives {
			if ctx.Err() != nil {
				return died, ctx.Err()
			}
			continue
		}
		if how != "" {
			died = append(died, e.Scrub(how))
		}
		e.mu.Lock()
		p.forget()
		e.mu.Unlock()
		if err := p.start(ctx); err != nil {
			return died, err
		}
	}
	return died, nil
}

// examine reports whether a server runs and passes the check. It stops a server that
// does not, and describes its end. A nil server does not run and has no description.
func (e *Environment) examine(ctx context.Context, s server, check func(context.Context) error) (how string, lives bool) {
	if s == nil {
		return "", false
	}
	if err := s.Err(); err != nil {
		_ = s.Stop(0) // cleans up after it
		return err.Error(), false
	}
	bounded, cancel := context.WithTimeout(ctx, e.answerTimeout)
	defer cancel()
	failed := check(bounded)
	if failed == nil || ctx.Err() != nil { // a caller that gave up proves nothing about the server
		return "", true
	}
	if err := awaitEnd(ctx, s); err != nil {
		_ = s.Stop(0)
		return err.Error(), false
	}
	_ = s.Stop(0)
	var death *child.Death
	if !errors.As(s.Err(), &death) { // an external server, which Stop does not end
		return fmt.Sprintf("a server did not answer: %v", failed), false
	}
	hung := child.Death{Name: death.Name, Log: death.Log, State: fmt.Sprintf("killed, because it did not answer: %v", failed)}
	return hung.Error(), false
}

// endDelay bounds the wait for the end of a server after a request to it failed, which
// may be noticed earlier.
const endDelay = 2 * time.Second

// awaitEnd returns the end of a server that has just failed to answer, or nil if it still runs.
func awaitEnd(ctx context.Context, s server) error {
	if s.Done() == nil {
		return nil
	}
	timer := time.NewTimer(endDelay)
	defer timer.Stop()
	select {
	case <-s.Done():
	case <-ctx.Done():
	case <-timer.C:
	}
	return s.Err()
}

// explain adds the end of the server to the error of a request to it.
func explain(ctx context.Context, s server, err error) error {
	if err == nil || s == nil {
		return err
	}
	if death := awaitEnd(ctx, s); death != nil {
		return fmt.Errorf("%w; %w", err, death)
	}
	return err
}

func (e *Environment) healthy(ctx context.Context) error {
	if !e.Mock() { // its health is a result of every trial, but the proxy's is not
		_, err := e.ProxyStats(ctx)
		return err
	}
	_, err := e.stats(ctx, e.UpstreamURL())
	return err
}

func (e *Environment) pingMongo(ctx context.Context) error {
	e.mu.Lock()
	client := e.client
	e.mu.Unlock()
	if client == nil {
		return errNoDatabase
	}
	return client.Ping(ctx, nil)
}

// retarget points the proxy to the current database.
func (e *Environment) retarget(ctx context.Context) error {
	e.mu.Lock()
	target := e.mongo.target
	e.mu.Unlock()
	return e.callProxy(ctx, proxyRequest{Target: &target})
}
