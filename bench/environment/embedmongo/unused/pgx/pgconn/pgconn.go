// Package pgconn declares what FerretDB's PostgreSQL backend uses of its driver's lower half.
package pgconn

// CommandTag is what a command did.
type CommandTag struct{}

// RowsAffected returns 0.
func (CommandTag) RowsAffected() int64 { return 0 }

// FieldDescription describes a column.
type FieldDescription struct {
	Name string
}

// PgError is an error of the server.
type PgError struct {
	Code, Message string
}

// Error returns the server's message.
func (e *PgError) Error() string { return e.Message }
