package environment

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"floodgate/bench/container"
	"floodgate/bench/environment/child"
	"floodgate/bench/environment/dbproxy"
	"floodgate/results"
)

// Kinds of environments, as records name them.
const (
	Embedded   = "embedded"
	Containers = "containers"
	External   = "external"
)

// provider starts the servers of one kind of environment.
type provider interface {
	// startUpstream and startMongo return servers that have answered a request.
	startUpstream(ctx context.Context) (*upstream, error)
	startMongo(ctx context.Context) (*database, error)
	// describe adds to the record what only this kind knows.
	describe(d *results.Environment, u *upstream, m *database)
}

// server is an upstream or a database, wherever it runs.
type server interface {
	// Addrs are where clients connect to.
	Addrs() []netip.AddrPort
	// Done is closed when it has ended; nil means that its end cannot be observed.
	Done() <-chan struct{}
	// Err is nil while it runs, then a *child.Death.
	Err() error
	// Stop ends it, unless it is not ours, and waits for its end. The error is
	// nil when it ran until then and ended in good order.
	Stop(grace time.Duration) error
}

// upstream is an upstream that has answered.
type upstream struct {
	server
	url string // without a slash at the end
	// foreign: not a built-in mock, it takes no profile and has no statistics.
	foreign bool
}

// database is a MongoDB that has answered.
type database struct {
	server
	// uri connects to it, and through to it by way of a plain proxy.
	uri     string
	through func(proxy netip.AddrPort) string
	target  dbproxy.Target
	version string // empty: it is to be asked
}

// local is a process of this program as a server.
type local struct{ *child.Process }

func (l local) Addrs() []netip.AddrPort { return []netip.AddrPort{l.Addr} }

func mongoURI(a netip.AddrPort) string { return "mongodb://" + a.String() + "/" }

// ourUpstream returns a built-in mock at one address.
func ourUpstream(s server) *upstream {
	return &upstream{server: s, url: "http://" + s.Addrs()[0].String()}
}

// ourDatabase returns one that asks for no password, at one address.
func ourDatabase(s server, version string) *database {
	a := s.Addrs()[0]
	return &database{server: s, version: version, uri: mongoURI(a), through: mongoURI, target: dbproxy.Target{Addr: a.String(), Loopback: true}}
}

// Choose describes what the environment of no name is: containers, and their
// engine, where one answers, our images can be made of the executable, and the
// database's image is present or can be pulled; else embedded, and no engine.
// why is for people and records.
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

// Embedded returns the options of an embedded environment, to be started in place
// of one of containers that failed to start with err. Its engine stays where the
// caller starts containers of its own.
func (o Options) Embedded(err error, keepEngine bool) Options {
	o.Kind, o.Chosen = Embedded, "containers cannot be used here: "+reason(err)
	if !keepEngine {
		o.Engine = nil
	}
	return o
}

// maxReason bounds the text of an error in a reason, in bytes.
const maxReason = 200

// reason returns what an error says, in one line.
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

// UpstreamAddrs returns where the upstream listens. They change when Ensure restarts it.
func (e *Environment) UpstreamAddrs() []netip.AddrPort {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.upstream == nil {
		return nil
	}
	return e.upstream.Addrs()
}

// UpstreamURL returns the upstream's base URL, without a slash at the end.
func (e *Environment) UpstreamURL() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.upstream == nil {
		return ""
	}
	return e.upstream.url
}

// Mock reports whether the upstream is a built-in mock, which takes a profile.
func (e *Environment) Mock() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.upstream == nil || !e.upstream.foreign
}

// AllowedTargets returns the hosts beyond loopback that may be spoken with.
func (e *Environment) AllowedTargets() []string { return e.options.Policy.Allowed }

// MongoAddrs returns where the system under test connects to the database: the
// proxy's address with Link. They change when Ensure restarts it.
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

// MongoURI returns the connection string for the system under test. It may hold
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

// TemporaryPrefixes begin the names of all temporary folders of environments and
// what they build.
func TemporaryPrefixes() []string { return []string{DataPrefix, logPrefix, container.BuildPrefix} }
