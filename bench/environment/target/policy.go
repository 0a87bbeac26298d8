// Package target decides which servers a run may connect to, and parses the user's
// connection strings, whose credentials must not appear anywhere:
//
//	p := target.Policy{Allowed: []string{"db.example"}} // --allow-target db.example
//	m, err := target.ParseMongo("mongodb://user:secret@db.example/")
//	fmt.Println(m)                  // mongodb://***@db.example:27017/
//	d, err := m.Discover(ctx, p)    // refuses members of its replica set on other hosts
//	fmt.Println(d)                  // the kind of deployment and the version
//	err = p.Check(ctx, "other.example") // a *RefusedError
//
// A host beyond this machine is refused unless the user allowed it by name, because load on
// somebody else's server is an attack, and measurements of a mistyped host are worthless.
// The rule is enforced when connecting ([Policy.DialContext]), so that neither a name that
// changes its address, nor a redirect, nor the members of a replica set can lead elsewhere.
//
// Errors of this package contain no part of a connection string. Texts of other packages go
// through a [Scrubber].
package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// Flag is the flag by which a user allows a host.
const Flag = "--allow-target"

// Policy determines the hosts that a run may connect to. The zero value allows only
// loopback. It is a dialer, and safe for concurrent use.
type Policy struct {
	// Allowed are names or addresses without a port, as in --allow-target HOST.
	// A host must be named exactly, but for case: neither its subdomains nor
	// another name of the same address are allowed with it.
	Allowed []string `json:"allowed,omitempty"`
	// Resolver resolves names; nil means net.DefaultResolver.
	Resolver *net.Resolver `json:"-"`
}

// RefusedError reports a host that a run may not connect to.
type RefusedError struct {
	// Host is the requested host without a port, and Addr the address that it resolves to.
	Host string
	Addr netip.Addr
}

// Error returns the host and how to allow it.
func (e *RefusedError) Error() string {
	is := fmt.Sprintf("%s resolves to %s, which", e.Host, e.Addr)
	if a, err := netip.ParseAddr(e.Host); err == nil && a.Unmap() == e.Addr {
		is = e.Host
	}
	return fmt.Sprintf("%s is not this machine: load on a server without its owner's consent is an attack, and results from a mistyped name are worthless; to allow it, use %s %s",
		is, Flag, e.Host)
}

// ErrorType returns not_allowed.
func (e *RefusedError) ErrorType() string { return "not_allowed" }

// Validate returns an error about entries of Allowed that cannot match any host.
func (p Policy) Validate() error {
	for _, host := range p.Allowed {
		bare := canonical(host)
		if _, err := netip.ParseAddr(bare); err != nil && !validHost(bare) {
			return fmt.Errorf("%s %q: want a host name or an address, without scheme, port, path or wildcard", Flag, host)
		}
	}
	return nil
}

// Allows reports whether a host, with or without a port, is allowed by name.
func (p Policy) Allows(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return slices.ContainsFunc(p.Allowed, func(allowed string) bool { return canonical(allowed) == canonical(host) })
}

// Check resolves host and returns a *RefusedError unless every address is loopback or the
// host is allowed.
func (p Policy) Check(ctx context.Context, host string) error {
	if p.Allows(host) {
		return nil
	}
	_, err := p.Resolve(ctx, host)
	return err
}

// Resolve is like Check and also returns the addresses of host.
func (p Policy) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := p.lookup(ctx, strings.Trim(host, "[]"))
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", host, err)
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap()
		if !addrs[i].IsLoopback() && !p.Allows(host) {
			return nil, &RefusedError{Host: host, Addr: addrs[i]}
		}
	}
	return addrs, nil
}

func (p Policy) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	addrs, err := p.resolver().LookupNetIP(ctx, "ip", host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no addresses")
	}
	return addrs, err
}

func (p Policy) resolver() *net.Resolver {
	if p.Resolver == nil {
		return net.DefaultResolver
	}
	return p.Resolver
}

// DialContext dials like net.Dialer over TCP, but connects only to loopback and to allowed
// hosts. It decides when the address is known and before anything is sent. The error is a
// *RefusedError in a *net.OpError.
func (p Policy) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !strings.HasPrefix(network, "tcp") {
		return nil, fmt.Errorf("dial %s: only TCP is allowed", network)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	dialer := net.Dialer{Resolver: p.Resolver}
	if !p.Allows(host) {
		dialer.Control = func(_, to string, _ syscall.RawConn) error { return loopbackOnly(host, to) }
	}
	return dialer.DialContext(ctx, network, address)
}

// loopbackOnly refuses the address that a dial of host is about to connect to.
func loopbackOnly(host, to string) error {
	a, err := netip.ParseAddrPort(to)
	if err != nil {
		return fmt.Errorf("address of a connection: %w", err)
	}
	if addr := a.Addr().Unmap(); !addr.IsLoopback() {
		return &RefusedError{Host: host, Addr: addr}
	}
	return nil
}

// canonical returns a host in a form that is comparable with others.
func canonical(host string) string {
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(strings.TrimSpace(host), "[]"), "."))
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String()
	}
	return host
}

// validHost reports whether host is a DNS name, possibly with underscores.
func validHost(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
