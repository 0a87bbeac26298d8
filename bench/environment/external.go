package environment

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"floodgate/bench/environment/child"
	"floodgate/bench/environment/dbproxy"
	"floodgate/bench/environment/target"
	"floodgate/bench/environment/upstreamproxy"
	"floodgate/results"
)

// external uses the user's own servers and embeds one that was not given.
type external struct{ *Environment }

func (x external) startUpstream(ctx context.Context) (*upstream, error) {
	t := x.options.Upstream
	if t == nil {
		return embedded(x).startUpstream(ctx)
	}
	addrs, err := t.Addrs(ctx, x.options.Policy)
	if err != nil {
		return nil, err
	}
	mock, err := t.Mock(ctx, x.options.Policy)
	if err != nil {
		return nil, err
	}
	if !mock && x.options.Bounds != nil {
		return x.startUpstreamProxy(ctx)
	}
	return &upstream{server: foreign{addrs}, url: t.URL(), foreign: !mock}, nil
}

// startUpstreamProxy starts the proxy in front of the upstream. It allows as many requests
// as earlier ones have left.
func (x external) startUpstreamProxy(ctx context.Context) (*upstream, error) {
	config := upstreamproxy.Config{Target: x.options.Upstream.URL(), Policy: x.options.Policy, Bounds: *x.options.Bounds}
	x.mu.Lock()
	x.sentBefore, x.sent = x.sentBefore+x.sent, 0
	config.Bounds.Requests = max(0, config.Bounds.Requests-x.sentBefore)
	x.mu.Unlock()
	var base string
	p, err := x.spawn(ctx, upstreamProxy, nil, func(ctx context.Context, p *child.Process) error {
		return p.Ask(ctx, upstreamProxyRequest{Config: &config}, &base)
	})
	if err != nil {
		return nil, err
	}
	if p.Addr, err = listening(base); err != nil {
		return nil, errors.Join(fmt.Errorf("address of the proxy: %w", err), p.Stop(stopGrace))
	}
	return &upstream{server: local{p}, url: base, foreign: true, proxy: p}, nil
}

func (x external) startMongo(ctx context.Context) (*database, error) {
	m := x.options.Mongo
	if m == nil {
		return embedded(x).startMongo(ctx)
	}
	d, err := m.Discover(ctx, x.options.Policy)
	if err != nil {
		return nil, err
	}
	if x.options.Link {
		if err := m.Proxyable(); err != nil {
			return nil, fmt.Errorf("the scenario changes the way to the database: %w", err)
		}
	}
	if err := x.vacant(ctx, d.Mongo.URI()); err != nil {
		return nil, err
	}
	return &database{
		server: foreign{d.Addrs}, uri: d.Mongo.URI(), through: d.Mongo.ViaProxy, version: d.String(),
		target: dbproxy.Target{Addr: d.Primary, TLS: proxyTLS(m.TLS()), Loopback: !x.options.Policy.Allows(d.Primary)},
	}, nil
}

// proxyTLS returns the TLS options of the proxy, which connects on behalf of the SUT.
func proxyTLS(t *target.TLS) *dbproxy.TLSOptions {
	if t == nil {
		return nil
	}
	return &dbproxy.TLSOptions{ServerName: t.ServerName, CAFile: t.CAFile, CertKeyFile: t.CertKeyFile, Insecure: t.Insecure}
}

// vacant returns an error if the database that will be written to, and dropped, already exists.
func (x external) vacant(ctx context.Context, uri string) error {
	if x.options.Database == "" {
		return errors.New("an external database needs the name of the database to write to")
	}
	if x.options.Resume {
		return nil
	}
	client, err := x.connect(ctx, uri)
	if err != nil {
		return err
	}
	defer disconnect(client)
	names, err := client.Database(x.options.Database).ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return fmt.Errorf("look into database %s: %w", x.options.Database, err)
	}
	if len(names) > 0 {
		return fmt.Errorf("database %s already exists with %d collections; a run writes only to its own database", x.options.Database, len(names))
	}
	return nil
}

func (x external) describe(d *results.Environment, u *upstream, _ *database) {
	d.Kind = External
	x.describeServers(d, u)
	if x.options.Mongo == nil {
		d.Database += ", embedded"
	}
	if x.options.Upstream == nil {
		d.Upstream += ", embedded"
	}
}

// describeServers adds the user's own servers to the record.
func (x external) describeServers(d *results.Environment, u *upstream) {
	if x.options.Mongo != nil {
		d.Database += " at " + x.options.Mongo.Redacted()
		if !x.options.OwnProgram {
			d.Notes = x.options.Mongo.Overridden()
		}
	}
	switch t := x.options.Upstream; {
	case t == nil:
	case u != nil && u.foreign:
		d.Upstream = t.Redacted()
		if u.proxy != nil {
			d.Upstream += ", through Floodgate's proxy"
		}
	default:
		d.Upstream += " at " + t.Redacted()
	}
}

// dropExternal drops the database on an external server. The caller holds the lock.
func (e *Environment) dropExternal() error {
	if e.options.Mongo == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), dutyTimeout)
	defer cancel()
	if err := e.client.Database(e.options.Database).Drop(ctx); err != nil {
		return fmt.Errorf("could not drop database %s: %w", e.options.Database, err)
	}
	return nil
}

// secrets returns the strings that no text may contain.
func (o *Options) secrets() []string {
	var all []string
	if o.Mongo != nil {
		all = append(all, o.Mongo.Secrets()...)
	}
	if o.Upstream != nil {
		all = append(all, o.Upstream.Secrets()...)
	}
	return all
}

// foreign is an external server, which this program neither starts nor stops.
type foreign struct{ addrs []netip.AddrPort }

func (f foreign) Addrs() []netip.AddrPort  { return f.addrs }
func (f foreign) Done() <-chan struct{}    { return nil }
func (f foreign) Err() error               { return nil }
func (f foreign) Stop(time.Duration) error { return nil }
