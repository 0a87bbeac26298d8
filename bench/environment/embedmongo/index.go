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

// idExpression is the expression that FerretDB compares with an _id in a WHERE clause. Only
// an index on exactly this expression is used.
const idExpression = "_ferretdb_sjson->'$._id'"

// indexer passes on FerretDB's log, and creates the _id index of each collection while
// FerretDB creates the collection.
//
// FerretDB has no hook for that, but logs each SQL statement after its execution, in the same
// goroutine. While a collection is created, this goroutine holds the lock of FerretDB's
// registry, so that no client can see the collection or drop its database, and the file of
// the database is the one that FerretDB has open.
type indexer struct {
	next  slog.Handler
	dir   string
	names []string // of the logger, outermost first; ["sqlite", database] logs SQL
}

// created matches the log of the last statement but one of a new collection.
var created = regexp.MustCompile(`^<<< CREATE TABLE "([^"\\]+)" \(.*_ferretdb_sjson TEXT`)

// Enabled enables SQL statements at any log level.
func (h *indexer) Enabled(ctx context.Context, level slog.Level) bool {
	return h.logsSQL() || h.next.Enabled(ctx, level)
}

func (h *indexer) logsSQL() bool { return len(h.names) == 2 && h.names[0] == "sqlite" }

// Handle creates the index if r logs the creation of a collection's table.
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

// noise reports whether a message is to be dropped: the unknown command endSessions, which
// FerretDB logs for each client that leaves, and headers of messages that it logs in full.
func noise(message string) bool {
	return strings.HasPrefix(message, "Response header:") || strings.Contains(message, "no such command: 'endSessions'")
}

// index creates the index of one table. It only logs a failure, which affects speed, not
// correctness.
func (h *indexer) index(ctx context.Context, table string) {
	name := h.names[1]
	// The collection stays even if the client that creates it disconnects.
	ctx = context.WithoutCancel(ctx)
	if err := indexTables(ctx, filepath.Join(h.dir, name+".sqlite"), table); err != nil {
		slog.New(h.next).ErrorContext(ctx, "index on _id was not created", "database", name, "table", table, "error", err)
	}
}

// WithAttrs records the names that FerretDB gives to its loggers.
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

// indexFiles creates the missing indexes of the databases in a data directory.
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

// indexTables creates the indexes of the given tables of a database file, or of all
// collections if none is given.
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

// escapeGlob escapes a path so that it matches only itself.
func escapeGlob(path string) string {
	return regexp.MustCompile(`([*?\[\\])`).ReplaceAllString(path, `\$1`)
}
