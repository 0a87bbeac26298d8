package environment

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"floodgate/bench/container"
	"floodgate/bench/environment/child"
	"floodgate/bench/environment/dbproxy"
	"floodgate/results"
)

// Kinds of environments.
const (
	Embedded   = "embedded"
	Containers = "containers"
	External   = "external"
	Kubernetes = "kubernetes"
)

// provider starts the servers of one kind of environment.
type provider interface {
	// startUpstream and startMongo return servers that have answered a request.
	startUpstream(ctx context.Context) (*upstream, error)
	startMongo(ctx context.Context) (*database, error)
	// describe adds the details of this kind to the record.
	describe(d *results.Environment, u *upstream, m *database)
}

// server is an upstream or a database, wherever it runs.
type server interface {
	// Addrs returns the addresses that clients connect to.
	Addrs() []netip.AddrPort
	// Done returns a channel that is closed when the server has ended; nil means that
	// its end cannot be observed.
	Done() <-chan struct{}
	// Err returns nil while the server runs, and a *child.Death afterwards.
	Err() error
	// Stop stops the server, unless it is external, and waits for its end. The error is
	// nil if it was running and ended normally.
	Stop(grace time.Duration) error
}

// upstream is an upstream that has answered.
type upstream struct {
	server
	url string // without a trailing slash
	// foreign means that it is not the built-in mock: it has no profile and no statistics.
	foreign bool
	// proxy is the proxy in front of an external upstream; nil means that there is none.
	proxy *child.Process
}

// database is a MongoDB that has answered.
type database struct {
	server
	// uri connects to it directly, and through connects by way of a plain proxy.
	uri     string
	through func(proxy netip.AddrPort) string
	// inside connects to it from a pod; empty means that uri does.
	inside  string
	target  dbproxy.Target
	version string // empty until the server is asked
}

// local is a server in a child process.
type local struct{ *child.Process }

func (l local) Addrs() []netip.AddrPort { return []netip.AddrPort{l.Addr} }

func mongoURI(a netip.AddrPort) string { return "mongodb://" + a.String() + "/" }

// ourUpstream returns a built-in mock at one address.
func ourUpstream(s server) *upstream {
	return &upstream{server: s, url: "http://" + s.Addrs()[0].String()}
}

// ourDatabase returns a database without a password at one address.
func ourDatabase(s server, version string) *database {
	a := s.Addrs()[0]
	return &database{server: s, version: version, uri: mongoURI(a), through: mongoURI, target: dbproxy.Target{Addr: a.String(), Loopback: true}}
}

// Choose selects the kind of environment automatically. It returns an engine for kind
// Containers if one answers, the built-in images can be built from the executable, and
// the database's image is present or can be pulled; otherwise it returns nil for kind
// Embedded. why describes the reason.
func Choose(ctx context.Context, executable, mongoImage string) (engine *container.Engine, why string) {
	engine, err := container.Connect(ctx)
	if err != nil {
		return nil, reason(err)
	}
	if err := engine.CanBuild(executable); err != nil {
		return nil, reason(errors.Join(err, engine.Close()))
	}
	if mongoImage != OwnImage {
		if err := engine.Available(ctx, mongoImage); err != nil {
			return nil, reason(errors.Join(err, engine.Close()))
		}
	}
	return engine, fmt.Sprintf("%s answers and image %s is available", engine.Version(), mongoImage)
}

// Embedded returns the options of an embedded environment that replaces one of
// containers, which failed to start with err. It keeps the engine if keepEngine is set,
// for containers that the caller starts.
func (o Options) Embedded(err error, keepEngine bool) Options {
	o.Kind, o.Chosen = Embedded, "containers cannot be used here: "+reason(err)
	if !keepEngine {
		o.Engine = nil
	}
	return o
}

// maxReason bounds the text of an error in a reason, in bytes.
const maxReason = 200

// reason returns the text of an error in one line.
func reason(err error) string {
	var unusable *container.UnusableError
	if errors.As(err, &unusable) {
		return unusable.Reason
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return text
}

// UpstreamAddrs returns the upstream's addresses, which change when Ensure restarts it.
func (e *Environment) UpstreamAddrs() []netip.AddrPort {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.upstream == nil {
		return nil
	}
	return e.upstream.Addrs()
}

// UpstreamURL returns the upstream's base URL without a trailing slash.
func (e *Environment) UpstreamURL() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.upstream == nil {
		return ""
	}
	return e.upstream.url
}

// Bridged returns the URL of the upstream and the URI of the database for pods of the
// cluster or, without one, for containers in the engine's default network. One that they
// cannot reach, because it listens on the loopback interface of this machine, is empty.
func (e *Environment) Bridged() (upstreamURL, databaseURI string) {
	if e.options.Kind == Kubernetes {
		e.mu.Lock()
		defer e.mu.Unlock()
		return kubernetes{e}.insideURLs()
	}
	local := slices.ContainsFunc(e.MongoAddrs(), func(a netip.AddrPort) bool { return a.Addr().IsLoopback() })
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.upstream != nil {
		if c, ok := e.upstream.server.(contained); ok && c.Inside().IsValid() {
			upstreamURL = "http://" + c.Inside().String()
		}
	}
	if e.mongo == nil || e.options.Link {
		return upstreamURL, ""
	}
	switch c, ok := e.mongo.server.(contained); {
	case ok && c.Inside().IsValid():
		databaseURI = mongoURI(c.Inside())
	case !local:
		databaseURI = e.mongo.uri
	}
	return upstreamURL, databaseURI
}

// Mock reports whether the upstream is the built-in mock, which accepts a profile.
func (e *Environment) Mock() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.upstream == nil || !e.upstream.foreign
}

// AllowedTargets returns the hosts beyond loopback that connections may go to, including
// those of our own pods.
func (e *Environment) AllowedTargets() []string {
	return append(slices.Clip(e.options.Policy.Allowed), e.podHosts()...)
}

// MongoAddrs returns the addresses at which the system under test connects to the
// database; with Link, that of the proxy. They change when Ensure restarts it.
func (e *Environment) MongoAddrs() []netip.AddrPort {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.options.Link && e.proxy != nil:
		return []netip.AddrPort{e.proxy.Addr}
	case e.options.Link || e.mongo == nil:
		return nil
	}
	return e.mongo.Addrs()
}

// MongoURI returns the connection string for the system under test. It may contain
// credentials.
func (e *Environment) MongoURI() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.mongo == nil || e.options.Link && e.proxy == nil:
		return ""
	case e.options.Link:
		return e.mongo.through(e.proxy.Addr)
	}
	return e.mongo.uri
}

// TemporaryPrefixes returns the prefixes of all temporary directories of environments
// and of their builds.
func TemporaryPrefixes() []string { return []string{DataPrefix, logPrefix, container.BuildPrefix} }
