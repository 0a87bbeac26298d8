package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// resolve looks up the servers and options of a mongodb+srv name in DNS, as the driver
// would, but only once, so that every client of a run uses the same ones.
func (m *Mongo) resolve(ctx context.Context, p Policy) (*Mongo, error) {
	if !m.srv {
		return m, nil
	}
	name, service := m.hosts[0], "mongodb"
	plain := &Mongo{userinfo: m.userinfo, database: m.database}
	for _, o := range m.options {
		if o.is("srvservicename") {
			service = o.value
			continue
		}
		plain.options = append(plain.options, o)
	}
	if err := plain.lookupHosts(ctx, p, service, name); err != nil {
		return nil, err
	}
	if err := plain.lookupOptions(ctx, p, name); err != nil {
		return nil, err
	}
	plain.setDefault(option{"tls", "true"}, "tls", "ssl")
	return plain, plain.interpret()
}

func (m *Mongo) lookupHosts(ctx context.Context, p Policy, service, name string) error {
	_, records, err := p.resolver().LookupSRV(ctx, service, "tcp", name)
	if err != nil {
		return fmt.Errorf("ask DNS for the servers of %s: %w", name, err)
	}
	_, parent, _ := strings.Cut(canonical(name), ".")
	for _, r := range records {
		host := canonical(r.Target)
		if parent == "" || !strings.HasSuffix(host, "."+parent) {
			return fmt.Errorf("DNS lists a server of %s that is not in the domain %q", name, parent)
		}
		m.hosts = append(m.hosts, net.JoinHostPort(host, strconv.Itoa(int(r.Port))))
	}
	slices.Sort(m.hosts)
	return nil
}

// lookupOptions adds the options from DNS that the URI does not have.
func (m *Mongo) lookupOptions(ctx context.Context, p Policy, name string) error {
	texts, err := p.resolver().LookupTXT(ctx, name)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return nil
	case err != nil:
		return fmt.Errorf("ask DNS for the options of %s: %w", name, err)
	case len(texts) > 1:
		return fmt.Errorf("DNS has %d TXT records for %s (want at most 1)", len(texts), name)
	}
	for _, text := range texts {
		for pair := range strings.SplitSeq(text, "&") {
			key, value, _ := strings.Cut(pair, "=")
			o := option{key, value}
			if !o.is("authsource", "replicaset", "loadbalanced") {
				return fmt.Errorf("DNS has an option for %s other than authSource, replicaSet and loadBalanced", name)
			}
			m.setDefault(o, strings.ToLower(key))
		}
	}
	return nil
}

// setDefault adds an option unless an option with one of the names exists.
func (m *Mongo) setDefault(o option, names ...string) {
	if !slices.ContainsFunc(m.options, func(have option) bool { return have.is(names...) }) {
		m.options = append(m.options, o)
	}
}
