package environment

import "net/netip"

// UpstreamAddrs are where the upstream listens. They change when Ensure restarts it.
func (e *Environment) UpstreamAddrs() []netip.AddrPort {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.upstream == nil {
		return nil
	}
	return e.upstream.Addrs()
}

// UpstreamURL is the upstream's base URL, without a slash at the end.
func (e *Environment) UpstreamURL() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.upstream == nil {
		return ""
	}
	return e.upstream.url
}

// Mock says that the upstream is one of ours, which takes a profile.
func (e *Environment) Mock() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.upstream == nil || !e.upstream.foreign
}

// AllowedTargets are the hosts beyond loopback that may be spoken with.
func (e *Environment) AllowedTargets() []string { return e.options.Policy.Allowed }

// MongoAddrs are where the system under test connects to the database: the
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

// MongoURI is the connection string for the system under test. It may hold
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
