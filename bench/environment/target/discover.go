package target

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
)

// Kinds of deployments.
const (
	Standalone   = "standalone"
	ReplicaSet   = "replica set"
	Sharded      = "sharded cluster"
	LoadBalanced = "load balanced"
)

// Deployment describes the servers behind a connection string.
type Deployment struct {
	// Mongo is the connection string. A mongodb+srv one is replaced by one with the servers
	// from DNS, so that clients resolve only addresses.
	Mongo *Mongo
	// Kind is Standalone, ReplicaSet, Sharded or LoadBalanced; Set the name of
	// the replica set.
	Kind, Set string
	// Hosts are the servers that clients connect to, as host:port, and Addrs their
	// addresses. The policy allows all of them.
	Hosts []string
	Addrs []netip.AddrPort
	// Primary is the host:port of a server that accepts writes.
	Primary string
	// Version is the product and its version, such as "MongoDB 8.0.4".
	Version string
}

// String returns kind and version, for records.
func (d *Deployment) String() string {
	kind := d.Kind
	if d.Set != "" {
		kind += " " + d.Set
	}
	if len(d.Hosts) > 1 {
		kind += fmt.Sprintf(" of %d", len(d.Hosts))
	}
	return d.Version + ", " + kind
}

// askTimeout bounds the first request to a server.
const askTimeout = 5 * time.Second

// hello is a server's answer to the handshake.
type hello struct {
	Writable  bool     `bson:"isWritablePrimary"`
	Set       string   `bson:"setName"`
	Hosts     []string `bson:"hosts"`
	Passives  []string `bson:"passives"`
	Arbiters  []string `bson:"arbiters"`
	Primary   string   `bson:"primary"`
	Msg       string   `bson:"msg"`
	ServiceID any      `bson:"serviceId"`
	version   string
}

// Discover determines the kind of deployment from its servers, and checks that the policy
// allows every server that a client would connect to. If not, the error is a *RefusedError.
// Errors contain no credentials and wrap those of the driver.
func (m *Mongo) Discover(ctx context.Context, p Policy) (*Deployment, error) {
	d, err := m.discover(ctx, p)
	if err != nil {
		return nil, NewScrubber(m.Secrets()).Error(fmt.Errorf("connect to %s: %w", m.Redacted(), err))
	}
	return d, nil
}

func (m *Mongo) discover(ctx context.Context, p Policy) (*Deployment, error) {
	resolved, err := m.resolve(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, host := range resolved.hosts {
		if _, err := p.resolvePort(ctx, host); err != nil {
			return nil, err
		}
	}
	var failures []error
	for _, seed := range resolved.hosts {
		h, err := resolved.ask(ctx, p, seed)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", seed, err))
			continue
		}
		d, err := resolved.deployment(ctx, p, seed, h)
		if err == nil || errors.As(err, new(*RefusedError)) {
			return d, err
		}
		failures = append(failures, fmt.Errorf("%s: %w", seed, err))
	}
	return nil, errors.Join(failures...)
}

// deployment returns the deployment to which a seed belongs, according to its answer.
func (m *Mongo) deployment(ctx context.Context, p Policy, seed string, h *hello) (*Deployment, error) {
	d := &Deployment{Mongo: m, Kind: Standalone, Set: h.Set, Hosts: m.hosts, Primary: seed, Version: h.version}
	want := m.parsed.ReplicaSet
	switch {
	case m.parsed.LoadBalanced:
		d.Kind = LoadBalanced
	case h.Msg == "isdbgrid":
		d.Kind = Sharded
	case h.Set != "":
		d.Kind = ReplicaSet
	}
	switch {
	case want != "" && h.Set != want:
		return nil, fmt.Errorf("the URI asks for replica set %s, but this is a %s %s", want, d.Kind, h.Set)
	case d.Kind == Standalone && len(m.hosts) > 1:
		return nil, errors.New("the URI names several servers, but this server is standalone")
	case m.direct() && d.Kind == ReplicaSet && !h.Writable:
		return nil, errors.New("it is not the primary of its replica set and does not accept writes; omit directConnection")
	case d.Kind == ReplicaSet && !m.direct():
		if err := d.members(ctx, p, h); err != nil {
			return nil, err
		}
	}
	for _, host := range d.Hosts {
		addrs, err := p.resolvePort(ctx, host)
		if err != nil {
			return nil, err
		}
		d.Addrs = append(d.Addrs, addrs...)
	}
	slices.SortFunc(d.Addrs, netip.AddrPort.Compare)
	d.Addrs = slices.Compact(d.Addrs)
	return d, nil
}

// members adds the members of a replica set and the version of its primary.
func (d *Deployment) members(ctx context.Context, p Policy, h *hello) error {
	d.Hosts = append(slices.Clone(h.Hosts), h.Passives...)
	for _, host := range slices.Concat(d.Hosts, h.Arbiters) { // the driver watches arbiters too
		if _, err := p.resolvePort(ctx, host); err != nil {
			return fmt.Errorf("member of the replica set: %w", err)
		}
	}
	if h.Primary == "" {
		return errors.New("the replica set has no primary at the moment")
	}
	primary := h
	if d.Primary != h.Primary {
		var err error
		if primary, err = d.Mongo.ask(ctx, p, h.Primary); err != nil {
			return fmt.Errorf("primary %s: %w", h.Primary, err)
		}
	}
	if !primary.Writable {
		return fmt.Errorf("primary %s does not accept writes", h.Primary)
	}
	d.Primary, d.Version = h.Primary, primary.version
	return nil
}

func (m *Mongo) direct() bool { return m.parsed.DirectConnection || m.parsed.Connect != 0 }

// ask connects to one server with the credentials and returns its handshake.
func (m *Mongo) ask(ctx context.Context, p Policy, host string) (_ *hello, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	o := m.only(host, p)
	if err := tryConnect(ctx, p, host, o.TLSConfig); err != nil {
		return nil, err
	}
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	h := new(hello)
	if err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(h); err != nil {
		return nil, reason(err)
	}
	if h.version, err = Version(ctx, client); err != nil {
		return nil, reason(err)
	}
	return h, nil
}

// tryConnect connects and disconnects, because the driver would retry a connection that
// fails at once until its timeout.
func tryConnect(ctx context.Context, p Policy, host string, config *tls.Config) error {
	conn, err := p.DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	if config == nil {
		return nil
	}
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(host)
	}
	return tls.Client(conn, config).HandshakeContext(ctx)
}

// only returns the options of a client of a single server.
func (m *Mongo) only(host string, p Policy) *options.ClientOptions {
	var kept []option
	for _, o := range m.options {
		if !o.is("replicaset", "directconnection", "connect") {
			kept = append(kept, o)
		}
	}
	if !m.parsed.LoadBalanced {
		kept = append(kept, option{"directConnection", "true"})
	}
	o := options.Client().ApplyURI(m.build(mongoScheme, host, kept)).
		SetDialer(p).SetServerSelectionTimeout(askTimeout).SetMinPoolSize(0).SetMaxPoolSize(2)
	if !m.parsed.SSLDisableCertificateRevocationCheckSet {
		o.SetDisableOCSPEndpointCheck(true) // it would be a connection to a third party
	}
	return o
}

// Version returns the product and version of a server, such as "MongoDB 8.0.4" or "FerretDB
// v2.1.0". For FerretDB v1 as a library, which does not report its version, it returns
// "FerretDB v1".
func Version(ctx context.Context, client *mongo.Client) (string, error) {
	var info struct {
		Version  string `bson:"version"`
		FerretV1 string `bson:"ferretdbVersion"`
		FerretV2 struct {
			Version string `bson:"version"`
		} `bson:"ferretdb"`
	}
	if err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&info); err != nil {
		return "", fmt.Errorf("ask the database for its version: %w", err)
	}
	switch {
	case info.FerretV1 == "unknown":
		return "FerretDB v1", nil
	case info.FerretV1 != "":
		return "FerretDB " + info.FerretV1, nil
	case info.FerretV2.Version != "":
		return "FerretDB " + info.FerretV2.Version, nil
	}
	return "MongoDB " + info.Version, nil
}

// reason returns the cause of a server selection error, which the error only describes.
func reason(err error) error {
	var selection topology.ServerSelectionError
	if !errors.As(err, &selection) {
		return err
	}
	var last []error
	for _, s := range selection.Desc.Servers {
		last = append(last, s.LastError)
	}
	if joined := errors.Join(last...); joined != nil {
		return joined
	}
	return err
}

// resolvePort returns Resolve for host:port.
func (p Policy) resolvePort(ctx context.Context, hostport string) ([]netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, fmt.Errorf("address of a server: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port of %s: %w", hostport, err)
	}
	addrs, err := p.Resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	with := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		with[i] = netip.AddrPortFrom(a, uint16(n))
	}
	return with, nil
}
