// Package target decides which servers a run may speak with, and reads what
// the user says about them: connection strings with credentials, which must
// show nowhere.
//
// Two rules hold wherever a connection is made. A host that is not this machine
// is refused unless the user named it: load on somebody else's server is an
// attack, and figures taken from a name typed wrong are worthless. And the rule
// is kept at the moment of connecting ([Policy.DialContext]), not only before,
// so that neither a name that changes its address, nor a redirect, nor the
// members that a replica set names can lead elsewhere.
//
// No error of this package repeats a connection string or part of it. What
// other packages say goes through a [Scrubber].
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

// Policy says which hosts beyond loopback a run may speak with. The zero value:
// loopback only. It is a dialer, and may be used by many goroutines.
type Policy struct {
	// Allowed are names or addresses without a port, as in --allow-target HOST.
	// A host must be named exactly, but for case: neither its subdomains nor
	// another name of the same address are allowed with it.
	Allowed []string `json:"allowed,omitempty"`
	// Resolver looks names up; nil means net.DefaultResolver.
	Resolver *net.Resolver `json:"-"`
}

// RefusedError is a host that a run may not speak with.
type RefusedError struct {
	// Host as it was requested, without a port, and what it resolves to.
	Host string
	Addr netip.Addr
}

// Error describes what to do if the host is meant.
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

// Validate refuses entries of Allowed that could match no host.
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

// Check resolves host and refuses it with a *RefusedError unless every address
// is loopback or the policy names it.
func (p Policy) Check(ctx context.Context, host string) error {
	if p.Allows(host) {
		return nil
	}
	_, err := p.Resolve(ctx, host)
	return err
}

// Resolve is Check, and returns the addresses of host.
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

// DialContext dials like net.Dialer over TCP, but connects to no address that
// is not loopback unless the host that it was requested is allowed by name. It
// decides when the address is known and before anything is sent; the error is
// a *RefusedError inside a *net.OpError.
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

// canonical returns a host without what does not tell it from others.
func canonical(host string) string {
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(strings.TrimSpace(host), "[]"), "."))
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String()
	}
	return host
}

// validHost reports whether host is a name as of DNS, underscores allowed.
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
