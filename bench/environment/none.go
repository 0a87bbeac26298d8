package environment

import (
	"context"
	"net/netip"

	"go.mongodb.org/mongo-driver/v2/bson"

	"floodgate/bench/environment/upstreamproxy"
	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/scenarios"
)

// None is an environment without upstream and database, for an HTTP service that is
// loaded as it is.
type None struct {
	// Targets are the hosts beyond loopback that may be loaded.
	Targets []string
}

// Ensure has nothing to restart.
func (None) Ensure(context.Context) ([]string, error) { return nil, nil }

// Watch has nothing to watch.
func (None) Watch(ctx context.Context) (alive context.Context, ended func() []string) {
	return ctx, func() []string { return nil }
}

// Describe returns the kind "none" with the allowed hosts.
func (n None) Describe() results.Environment {
	return results.Environment{Kind: "none", Targets: n.Targets}
}

// Mock returns false: there is no upstream that could be configured.
func (None) Mock() bool { return false }

// ConfigureUpstream does nothing.
func (None) ConfigureUpstream(context.Context, mockupstream.Profile, uint64) error { return nil }

// UpstreamStats returns no figures.
func (None) UpstreamStats(context.Context) (mockupstream.Stats, error) {
	return mockupstream.Stats{}, nil
}

// ProxyStats returns nil, because an upstream that does not exist has no proxy.
func (None) ProxyStats(context.Context) (*upstreamproxy.Stats, error) { return nil, nil }

// ConfigureDatabase does nothing.
func (None) ConfigureDatabase(context.Context, scenarios.Database, uint64) error { return nil }

// Prepare does nothing.
func (None) Prepare(context.Context, string, string) error { return nil }

// DropCollection does nothing.
func (None) DropCollection(context.Context, string, string) error { return nil }

// Documents has none.
func (None) Documents(context.Context, string, string, func(bson.Raw) error) error { return nil }

// UpstreamURL is empty.
func (None) UpstreamURL() string { return "" }

// MongoURI is empty.
func (None) MongoURI() string { return "" }

// Bridged returns none.
func (None) Bridged() (upstreamURL, databaseURI string) { return "", "" }

// UpstreamAddrs returns none.
func (None) UpstreamAddrs() []netip.AddrPort { return nil }

// MongoAddrs returns none.
func (None) MongoAddrs() []netip.AddrPort { return nil }

// AllowedTargets returns Targets.
func (n None) AllowedTargets() []string { return n.Targets }

// Scrub returns the text: there are no credentials.
func (None) Scrub(text string) string { return text }

// Close does nothing.
func (None) Close() error { return nil }
