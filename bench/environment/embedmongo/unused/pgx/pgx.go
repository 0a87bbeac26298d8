// Package pgx declares what FerretDB's PostgreSQL backend uses of its driver. No connection can be made.
package pgx

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

var errUnused = errors.New("this build of FerretDB has no driver for PostgreSQL")

// Identifier is a name of PostgreSQL in parts.
type Identifier []string

// Sanitize returns the name, quoted.
func (i Identifier) Sanitize() string {
	parts := make([]string, len(i))
	for k, part := range i {
		parts[k] = `"` + strings.ReplaceAll(strings.ReplaceAll(part, "\x00", ""), `"`, `""`) + `"`
	}
	return strings.Join(parts, ".")
}

// Row is a row of an answer.
type Row interface {
	Scan(dest ...any) error
}

// Rows are the rows of an answer.
type Rows interface {
	Row
	Close()
	Err() error
	Next() bool
	Values() ([]any, error)
	FieldDescriptions() []pgconn.FieldDescription
}

// Tx is a transaction.
type Tx interface {
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) Row
}

// Failed is a row whose Scan returns an error.
type Failed struct{}

// Scan returns an error.
func (Failed) Scan(...any) error { return errUnused }

// Conn is a connection, of which there is none.
type Conn struct{}

// QueryRow returns Failed.
func (*Conn) QueryRow(context.Context, string, ...any) Row { return Failed{} }

// ConnConfig says how to connect.
type ConnConfig struct {
	Tracer               any
	DefaultQueryExecMode QueryExecMode
}

// QueryExecMode is how a query is executed.
type QueryExecMode int

// QueryExecModeCacheStatement is the zero QueryExecMode.
const QueryExecModeCacheStatement QueryExecMode = 0

// BeginFunc returns an error.
func BeginFunc(context.Context, any, func(Tx) error) error { return errUnused }
