package embedmongo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver that FerretDB uses
)

// idExpression is what FerretDB compares with an _id in a WHERE clause. An
// index serves only exactly this expression.
const idExpression = "_ferretdb_sjson->'$._id'"

// indexer passes FerretDB's log on, and makes the _id index of each collection
// while FerretDB creates the collection.
//
// FerretDB has no hook for that, but logs each SQL statement after it ran, in
// the goroutine that ran it. When a collection is created that goroutine holds
// the lock of FerretDB's registry: nobody can see the collection yet or drop
// its database, so the file that we open is the file that FerretDB has open.
type indexer struct {
	next  slog.Handler
	dir   string
	names []string // of the logger, outermost first; ["sqlite", database] logs SQL
}

// created matches the log of the last statement but one of a new collection.
var created = regexp.MustCompile(`^<<< CREATE TABLE "([^"\\]+)" \(.*_ferretdb_sjson TEXT`)

// Enabled lets the SQL through whatever level is logged.
func (h *indexer) Enabled(ctx context.Context, level slog.Level) bool {
	return h.logsSQL() || h.next.Enabled(ctx, level)
}

func (h *indexer) logsSQL() bool { return len(h.names) == 2 && h.names[0] == "sqlite" }

// Handle makes the index when r says that a collection's table was created.
func (h *indexer) Handle(ctx context.Context, r slog.Record) error {
	if h.logsSQL() && len(r.Message) > 4 {
		if m := created.FindStringSubmatch(r.Message); m != nil {
			h.index(ctx, m[1])
		}
	}
	if !h.next.Enabled(ctx, r.Level) || noise(r.Message) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// noise returns what FerretDB says of each client that leaves: it does not know the
// command endSessions; and the headers of messages that follow in full.
func noise(message string) bool {
	return strings.HasPrefix(message, "Response header:") || strings.Contains(message, "no such command: 'endSessions'")
}

// index makes the index of one table. A failure costs speed, not correctness:
// it is logged.
func (h *indexer) index(ctx context.Context, table string) {
	name := h.names[1]
	// The client that creates the collection may go away; the collection stays.
	ctx = context.WithoutCancel(ctx)
	if err := indexTables(ctx, filepath.Join(h.dir, name+".sqlite"), table); err != nil {
		slog.New(h.next).ErrorContext(ctx, "index on _id was not created", "database", name, "table", table, "error", err)
	}
}

// WithAttrs notes the names that FerretDB gives its loggers.
func (h *indexer) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	for _, a := range attrs {
		if a.Key == "name" {
			c.names = append(slices.Clip(c.names), a.Value.String())
		}
	}
	c.next = h.next.WithAttrs(attrs)
	return &c
}

// WithGroup implements [slog.Handler].
func (h *indexer) WithGroup(name string) slog.Handler {
	c := *h
	c.next = h.next.WithGroup(name)
	return &c
}

// indexFiles makes the indexes that the databases in a data folder lack.
func indexFiles(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.sqlite"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := indexTables(ctx, file); err != nil {
			return fmt.Errorf("index %q: %w", file, err)
		}
	}
	return nil
}

// indexTables makes the index of the given tables of a database file, of all
// collections when none is given.
func indexTables(ctx context.Context, file string, tables ...string) (err error) {
	db, err := open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if len(tables) == 0 {
		if tables, err = collections(ctx, db); err != nil {
			return err
		}
	}
	for _, table := range tables {
		_, err := db.ExecContext(ctx, fmt.Sprintf(`CREATE INDEX IF NOT EXISTS "%[1]s__by_id" ON "%[1]s" (%[2]s)`, table, idExpression))
		if err != nil {
			return fmt.Errorf("index table %q: %w", table, err)
		}
	}
	return nil
}

// open opens an existing database file for one statement at a time.
func open(file string) (*sql.DB, error) {
	values := url.Values{"mode": {"rw"}, "_pragma": pragmas()}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(file)}).EscapedPath(), RawQuery: values.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", file, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// collections lists the tables of FerretDB's collections.
func collections(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, `SELECT table_name FROM _ferretdb_collections`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return nil, err
		}
		tables = append(tables, table)
	}
	return tables, rows.Err()
}

// escapeGlob makes a path match itself alone.
func escapeGlob(path string) string {
	return regexp.MustCompile(`([*?\[\\])`).ReplaceAllString(path, `\$1`)
}
