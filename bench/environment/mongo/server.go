// Package mongo embeds a MongoDB: FerretDB v1 (the wire protocol) on SQLite,
// in this process, with the index on _id that FerretDB itself lacks.
//
// FerretDB finds documents by the expression _ferretdb_sjson->'$._id', but its
// unique index is on another one, so that every upsert reads the whole
// collection. [Serve] makes an index on the right expression as part of the
// creation of every collection, whoever creates it: no client ever sees a
// collection without it.
//
// Limits of FerretDB 1.24 that callers should know:
//   - Two upserts of one absent key at the same time: one of them may fail
//     with a duplicate key error (11000); none is doubled.
//   - An update command ends at its first error, ordered or not.
//   - A command that changes existing documents holds one of the 100 SQLite
//     connections a document while it asks for another: see [MaxReplacements].
package mongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// Options of a server.
type Options struct {
	// Addr to listen on, host:port. Empty: 127.0.0.1 and a free port.
	Addr string
	// Dir is the data folder, one SQLite file a database. It is made when
	// absent and never removed. Required.
	Dir string
	// Logger gets FerretDB's own log. Nil: warnings and errors to stderr.
	Logger *slog.Logger
	// NoIndex leaves FerretDB as it is, scanning for every _id; for comparison.
	NoIndex bool
}

// Server is a running embedded MongoDB.
type Server struct {
	uri    *url.URL
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid when done is closed
}

// Serve starts a server; it runs until ctx ends or Close is called. The server
// accepts connections when Serve returns.
func Serve(ctx context.Context, opts Options) (*Server, error) {
	if opts.Dir == "" {
		return nil, errors.New("serve mongo: no data folder")
	}
	if opts.Addr == "" {
		opts.Addr = "127.0.0.1:0"
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("serve mongo from %q: %w", opts.Dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("serve mongo: make data folder: %w", err)
	}
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if !opts.NoIndex {
		if err := indexFiles(ctx, dir); err != nil {
			return nil, fmt.Errorf("serve mongo from %q: %w", dir, err)
		}
		log = slog.New(&indexer{next: log.Handler(), dir: dir})
	}
	ferret, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: opts.Addr},
		Handler:   "sqlite",
		SQLiteURL: dataURI(dir),
		Logger:    log,
	})
	if err != nil {
		return nil, fmt.Errorf("serve mongo on %s from %q: %w", opts.Addr, dir, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Server{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = ferret.Run(ctx)
	}()
	if s.uri, err = url.Parse(ferret.MongoDBURI()); err != nil {
		return nil, errors.Join(fmt.Errorf("serve mongo: %w", err), s.Close())
	}
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() netip.AddrPort {
	addr, _ := netip.ParseAddrPort(s.uri.Host) // made from a net.TCPAddr
	return addr
}

// URI is the connection string for clients.
func (s *Server) URI() string { return s.uri.String() }

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Close stops the server and waits for it. FerretDB gives connected clients
// three seconds to go away, so disconnect them first.
func (s *Server) Close() error {
	s.cancel()
	<-s.done
	return s.err
}

// Version names the product and its version.
func Version() string {
	const module = "github.com/FerretDB/FerretDB"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == module {
				return "FerretDB " + dep.Version + " (SQLite)"
			}
		}
	}
	return "FerretDB (SQLite)"
}

// busyTimeout is how long a statement waits for another connection's write.
// It exceeds the time that a full pool of 100 writers needs by far.
const busyTimeout = 60 * time.Second

// dataURI is FerretDB's connection string for a data folder. Transactions take
// the write lock when they begin, so that none fails half-way because another
// one wrote since. With a write-ahead log, synchronous(normal) syncs at
// checkpoints only.
func dataURI(dir string) string {
	values := url.Values{
		"_txlock": {"immediate"},
		"_pragma": pragmas(),
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(dir) + "/", OmitHost: true, RawQuery: values.Encode()}
	return u.String()
}

func pragmas() []string {
	return []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(wal)",
		"synchronous(normal)",
		"auto_vacuum(none)",
	}
}
