// Package pgxpool declares what FerretDB's PostgreSQL backend uses of its driver's pool.
package pgxpool

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var errUnused = errors.New("this build of FerretDB has no driver for PostgreSQL")

// Config says how to connect.
type Config struct {
	AfterConnect func(context.Context, *pgx.Conn) error
	ConnConfig   *pgx.ConnConfig
}

// ParseConfig returns an error.
func ParseConfig(string) (*Config, error) { return nil, errUnused }

// Pool is a pool of connections, which cannot be made.
type Pool struct{}

// NewWithConfig returns an error.
func NewWithConfig(context.Context, *Config) (*Pool, error) { return nil, errUnused }

// Close does nothing.
func (*Pool) Close() {}

// Ping returns an error.
func (*Pool) Ping(context.Context) error { return errUnused }

// Stat returns nil.
func (*Pool) Stat() any { return nil }

// Exec returns an error.
func (*Pool) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, errUnused
}

// Query returns an error.
func (*Pool) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errUnused }

// QueryRow returns a row whose Scan returns an error.
func (*Pool) QueryRow(context.Context, string, ...any) pgx.Row { return pgx.Failed{} }
