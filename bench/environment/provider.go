package environment

import (
	"context"
	"net/netip"
	"time"

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
	// Done is closed when it has ended; nil: nobody would know.
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
	// foreign: not a mock of ours, it takes no profile and has no statistics.
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

// local is a process of ours as a server.
type local struct{ *child.Process }

func (l local) Addrs() []netip.AddrPort { return []netip.AddrPort{l.Addr} }

func mongoURI(a netip.AddrPort) string { return "mongodb://" + a.String() + "/" }

// ourUpstream is a mock of ours at one address.
func ourUpstream(s server) *upstream {
	return &upstream{server: s, url: "http://" + s.Addrs()[0].String()}
}

// ourDatabase is one that asks for no password, at one address.
func ourDatabase(s server, version string) *database {
	a := s.Addrs()[0]
	return &database{server: s, version: version, uri: mongoURI(a), through: mongoURI, target: dbproxy.Target{Addr: a.String(), Loopback: true}}
}
