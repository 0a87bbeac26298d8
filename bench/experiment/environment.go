package experiment

import (
	"context"
	"net/netip"

	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/scenarios"
)

// Environment is what the experiment needs of the upstream and the database.
// Package bench/environment implements it.
type Environment interface {
	documentSource
	// Ensure restarts what died and says what that was, with the end of its log.
	Ensure(ctx context.Context) (died []string, err error)
	// Died says what has died since the last Ensure; empty: nothing.
	Died() []string
	Describe() results.Environment

	// Mock says that the upstream is one of ours: it takes a profile, has
	// statistics, and what it answers is known.
	Mock() bool
	ConfigureUpstream(ctx context.Context, p mockupstream.Profile, seed uint64) error
	UpstreamStats(ctx context.Context) (mockupstream.Stats, error)
	// ConfigureDatabase sets how the way to the database behaves.
	ConfigureDatabase(ctx context.Context, d scenarios.Database, seed uint64) error
	// Prepare makes an empty collection.
	Prepare(ctx context.Context, db, collection string) error
	DropCollection(ctx context.Context, db, collection string) error

	UpstreamURL() string
	MongoURI() string
	UpstreamAddrs() []netip.AddrPort
	MongoAddrs() []netip.AddrPort
	// AllowedTargets are hosts beyond loopback that the SUT may connect to.
	AllowedTargets() []string
	// Scrub removes the credentials that the environment knows from a text.
	Scrub(text string) string
	Close() error
}
