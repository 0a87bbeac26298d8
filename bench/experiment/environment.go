package experiment

import (
	"context"
	"net/netip"
	"time"

	"floodgate/mockupstream"
	"floodgate/results"
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

	ConfigureUpstream(ctx context.Context, p mockupstream.Profile, seed uint64) error
	UpstreamStats(ctx context.Context) (mockupstream.Stats, error)
	SetDatabaseLatency(ctx context.Context, d time.Duration) error
	// Prepare makes an empty collection.
	Prepare(ctx context.Context, db, collection string) error
	DropCollection(ctx context.Context, db, collection string) error

	UpstreamURL() string
	MongoURI() string
	UpstreamAddr() netip.AddrPort
	MongoAddr() netip.AddrPort
	Close() error
}
