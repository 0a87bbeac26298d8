package environment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"floodgate/bench/environment/child"
	"floodgate/bench/environment/dbproxy"
	"floodgate/bench/environment/embedmongo"
	"floodgate/results"
	"floodgate/scenarios"
)

// Pods starts servers in the pods of a cluster. Package floodgate/bench/kubernetes
// implements it.
type Pods interface {
	// StartPod starts a pod and waits until it accepts connections.
	StartPod(ctx context.Context, s PodSpec) (Pod, error)
	// Version returns the product and version of the cluster.
	Version() string
}

// PodSpec describes a pod with one server.
type PodSpec struct {
	// Name of the role: upstream, database or dbproxy.
	Name string
	// Image is the image of the server; empty means that of this program.
	Image string
	// Args are the arguments of the image's main program.
	Args []string
	// Port is the TCP port on which the server listens.
	Port   uint16
	Limits scenarios.Limits
	// Data is the folder of the server's data, which end with the pod; empty means none.
	Data string
	// Attached connects the standard streams of the server to the pod's connection.
	Attached bool
	// ReadyTimeout bounds the time until the server accepts connections.
	ReadyTimeout time.Duration
	// Log is the file to which the end of the pod's log is written when it has ended.
	Log string
}

// Pod is a running pod with one server.
type Pod interface {
	// Addr is the loopback address that leads to the server, and Inside its address in the
	// network of the cluster.
	Addr() netip.AddrPort
	Inside() netip.AddrPort
	// Done returns a channel that is closed when the pod has ended, and State then
	// describes how.
	Done() <-chan struct{}
	State() string
	// Connection returns the standard streams of an attached server.
	Connection() child.Connection
	// Stop removes the pod. It does not wait longer than the time grace.
	Stop(grace time.Duration) error
	// Describe returns the pod for the record.
	Describe() results.Container
}

// kubernetes runs upstream and database in pods. Servers of the user's own replace them.
type kubernetes struct{ *Environment }

func (k kubernetes) startUpstream(ctx context.Context) (*upstream, error) {
	if k.options.Upstream != nil {
		u, err := external(k).startUpstream(ctx)
		if err != nil {
			return nil, err
		}
		return u, beyondLoopback("--upstream-url", u.Addrs())
	}
	p, err := k.pod(ctx, k.options.upstreamPod())
	if err != nil {
		return nil, err
	}
	if err := p.check(ctx, k.ready(ctx, p.Addr())); err != nil {
		return nil, err
	}
	return ourUpstream(p), nil
}

func (k kubernetes) startMongo(ctx context.Context) (*database, error) {
	if k.options.Mongo != nil {
		d, err := external(k).startMongo(ctx)
		if err != nil {
			return nil, err
		}
		return d, beyondLoopback("--mongo-uri", d.Addrs())
	}
	spec, version := k.options.databasePod()
	p, err := k.pod(ctx, spec)
	if err != nil {
		return nil, err
	}
	if err := p.check(ctx, k.ping(ctx, mongoURI(p.Addr()))); err != nil {
		return nil, err
	}
	d := ourDatabase(p, version)
	d.inside, d.target = mongoURI(p.Inside()), dbproxy.Target{Addr: p.Inside().String()}
	return d, nil
}

// startProxy starts the database proxy, and returns its process and its address in the
// network of the cluster.
func (k kubernetes) startProxy(ctx context.Context) (*child.Process, netip.AddrPort, error) {
	p, err := k.pod(ctx, proxyPod())
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	c, err := child.Connect(ctx, proxyName, p.log, p.Connection())
	if err != nil {
		return nil, netip.AddrPort{}, errors.Join(err, p.Stop(0))
	}
	c.Addr = p.Addr()
	return c, p.Inside(), nil
}

func (o Options) upstreamPod() PodSpec {
	return PodSpec{Name: upstreamName, Args: []string{upstreamName + containerSuffix}, Port: upstreamPort, Limits: o.Limits.Upstream}
}

// databasePod returns the pod of the database and its version; empty means that the server
// is asked.
func (o Options) databasePod() (s PodSpec, version string) {
	s = PodSpec{Name: "database", Image: o.MongoImage, Args: o.MongoArgs, Port: mongoPort, Limits: o.Limits.Database, Data: mongoData}
	if o.MongoImage == OwnImage {
		s.Image, s.Args = "", append([]string{mongoName + containerSuffix}, o.MongoArgs...)
		version = embedmongo.Version() // FerretDB as a library does not know its own
	}
	return s, version
}

func proxyPod() PodSpec {
	return PodSpec{Name: proxyName, Args: []string{proxyName + containerSuffix}, Port: mongoPort, Attached: true}
}

// PodSpecs returns the pods that the kind Kubernetes starts with the options.
func PodSpecs(o Options) []PodSpec {
	o.MongoImage = cmp.Or(o.MongoImage, DefaultMongoImage)
	database, _ := o.databasePod()
	all := []PodSpec{o.upstreamPod(), database}
	if o.Link {
		all = append(all, proxyPod())
	}
	return all
}

func (k kubernetes) pod(ctx context.Context, s PodSpec) (podded, error) {
	s.ReadyTimeout, s.Log = k.options.ReadyTimeout, filepath.Join(k.options.LogDir, s.Name+".log")
	p, err := k.options.Pods.StartPod(ctx, s)
	if err != nil {
		return podded{}, fmt.Errorf("start %s: %w", s.Name, err)
	}
	return podded{p, s.Name, s.Log}, nil
}

func (k kubernetes) describe(d *results.Environment, u *upstream, m *database) {
	external(k).describeServers(d, u)
	d.Kind, d.Engine = Kubernetes, k.options.Pods.Version()
	if u != nil {
		if p, ok := u.server.(podded); ok {
			d.Containers = append(d.Containers, p.Describe())
		}
	}
	if m != nil {
		if p, ok := m.server.(podded); ok {
			d.Containers = append(d.Containers, p.Describe())
		}
	}
}

// beyondLoopback returns an error if a server of the user's own is on this machine, where
// pods cannot reach it.
func beyondLoopback(flag string, addrs []netip.AddrPort) error {
	if slices.ContainsFunc(addrs, func(a netip.AddrPort) bool { return a.Addr().IsLoopback() }) {
		return fmt.Errorf("%s is on the loopback interface of this machine, which pods cannot reach; name an address that they can, and allow it with --allow-target", flag)
	}
	return nil
}

// podded is a server in a pod.
type podded struct {
	Pod
	name, log string
}

func (p podded) Addrs() []netip.AddrPort { return []netip.AddrPort{p.Addr()} }

func (p podded) Err() error {
	select {
	case <-p.Done():
		return &child.Death{Name: p.name, State: p.State(), Log: child.Tail(p.log)}
	default:
		return nil
	}
}

// check stops the pod if its first request failed with err.
func (p podded) check(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	err = explain(ctx, p, err)
	return fmt.Errorf("check %s: %w", p.name, errors.Join(err, p.Stop(stopGrace)))
}

// insideURLs returns the URL of the upstream and the URI of the database for pods. The
// caller holds the lock.
func (k kubernetes) insideURLs() (upstreamURL, databaseURI string) {
	if k.upstream != nil {
		upstreamURL = k.upstream.url
		if p, ok := k.upstream.server.(podded); ok {
			upstreamURL = "http://" + p.Inside().String()
		}
	}
	switch {
	case k.mongo == nil:
	case k.options.Link:
		if k.proxyInside.IsValid() {
			databaseURI = k.mongo.through(k.proxyInside)
		}
	default:
		databaseURI = cmp.Or(k.mongo.inside, k.mongo.uri)
	}
	return upstreamURL, databaseURI
}

// podHosts returns the addresses of the pods, to which the SUT may connect.
func (e *Environment) podHosts() (hosts []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.upstream != nil {
		if p, ok := e.upstream.server.(podded); ok {
			hosts = append(hosts, p.Inside().Addr().String())
		}
	}
	if e.mongo != nil {
		if p, ok := e.mongo.server.(podded); ok {
			hosts = append(hosts, p.Inside().Addr().String())
		}
	}
	if e.proxyInside.IsValid() {
		hosts = append(hosts, e.proxyInside.Addr().String())
	}
	return hosts
}

// proxyContainer is the main program of the database proxy's container.
func (c *helper) proxyContainer(ctx context.Context, args []string) error {
	if err := errors.Join(c.flags(proxyName).Parse(args), mainOfContainer()); err != nil {
		return err
	}
	return c.serveProxy(ctx, everywhere(mongoPort), true)
}

// Heartbeats of the harness on the standard input of an anchor: one each HeartbeatInterval.
// The anchor ends after HeartbeatTimeout without one.
const (
	HeartbeatInterval = 5 * time.Second
	HeartbeatTimeout  = 25 * time.Second
)

// AnchorArg is the hidden subcommand that runs while its standard input receives
// heartbeats. The pod that runs it owns the objects of a run in a cluster.
const AnchorArg = "anchor-container"

// anchor ends with its standard input, or when that has been silent for HeartbeatTimeout.
// That time is not that of a dead harness only: the API server may be away for some of it.
func (c *helper) anchor(ctx context.Context, args []string) error {
	if err := c.flags(AnchorArg).Parse(args); err != nil {
		return err
	}
	beats := make(chan error)
	go func() {
		buffer := make([]byte, 16)
		for {
			_, err := c.stdin.Read(buffer)
			select {
			case beats <- err:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	silence := time.NewTimer(HeartbeatTimeout)
	defer silence.Stop()
	for {
		select {
		case err := <-beats:
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("read the heartbeats: %w", err)
			}
			silence.Reset(HeartbeatTimeout)
		case <-silence.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}
