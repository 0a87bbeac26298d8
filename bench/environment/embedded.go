package environment

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"

	"floodgate/bench/environment/child"
	"floodgate/results"
)

// embedded runs upstream and database as child processes of this program.
type embedded struct{ *Environment }

func (e embedded) startUpstream(ctx context.Context) (*upstream, error) {
	p, err := e.spawn(ctx, upstreamName, nil, func(ctx context.Context, p *child.Process) error {
		return e.ready(ctx, p.Addr)
	})
	if err != nil {
		return nil, err
	}
	return ourUpstream(local{p}), nil
}

func (e embedded) startMongo(ctx context.Context) (*database, error) {
	var args []string
	if e.options.KeepData {
		args = []string{"-dir", filepath.Join(e.options.LogDir, "data")}
	}
	p, err := e.spawn(ctx, mongoName, args, func(ctx context.Context, p *child.Process) error {
		return e.ping(ctx, mongoURI(p.Addr))
	})
	if err != nil {
		return nil, err
	}
	return ourDatabase(local{p}, p.Version), nil
}

func (embedded) describe(d *results.Environment, _ *upstream, _ *database) { d.Kind = Embedded }

// spawn starts a child and waits until check, its first request, succeeds.
func (e *Environment) spawn(ctx context.Context, name string, args []string, check func(context.Context, *child.Process) error) (*child.Process, error) {
	timeout := fmt.Errorf("not ready after %s", e.options.ReadyTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, e.options.ReadyTimeout, timeout)
	defer cancel()
	p, err := child.Start(ctx, child.Options{
		Name:       name,
		Executable: e.options.Executable,
		Args:       append([]string{name + childSuffix}, args...),
		Log:        filepath.Join(e.options.LogDir, name+".log"),
	})
	if err != nil {
		return nil, err
	}
	if err := check(ctx, p); err != nil {
		_ = p.Stop(stopGrace)
		return nil, fmt.Errorf("check %s: %w", name, errors.Join(err, p.Err()))
	}
	return p, nil
}

// ready is the first request to a mock upstream of ours.
func (e *Environment) ready(ctx context.Context, a netip.AddrPort) error {
	_, err := e.stats(ctx, "http://"+a.String())
	return err
}

// ping connects to a database for one ping.
func (e *Environment) ping(ctx context.Context, uri string) error {
	client, err := e.connect(ctx, uri)
	if err != nil {
		return err
	}
	return client.Disconnect(ctx)
}
