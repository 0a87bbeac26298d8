// Package embedmongo embeds a MongoDB in this process: FerretDB v1 (the wire protocol) on
// SQLite, with the index on _id that FerretDB itself lacks:
//
//	s, err := embedmongo.Serve(ctx, embedmongo.Options{Dir: dir})
//	defer s.Close()
//	fmt.Println(s.URI()) // mongodb://127.0.0.1:38361/
//
// FerretDB finds documents by the expression _ferretdb_sjson->'$._id', but its unique index
// is on another one, so that every upsert reads the whole collection. [Serve] creates an
// index on the right expression together with every collection, before any client can see
// the collection.
//
// Clients connect to a relay in front of FerretDB that runs one writing command at a time, in
// the order of arrival; front.go describes the problems without it. Reads are not delayed.
//
// Some limits of FerretDB remain: an update command ends at its first error, ordered or not;
// unacknowledged writes are answered; there are no transactions and no compression.
package embedmongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"floodgate/bench/environment/scratch"
	"floodgate/mockupstream"
)

// Options of a server.
type Options struct {
	// Addr to listen on, a loopback host:port; empty means 127.0.0.1 and a free port.
	Addr string
	// Dir is the data directory, with one SQLite file per database. It is created if
	// necessary and never removed. Only one server at a time may use it. Required.
	Dir string
	// Logger receives FerretDB's log; nil means warnings and errors to stderr.
	Logger *slog.Logger
	// AllInterfaces allows an Addr that is not loopback, for containers, whose ports are
	// published on the loopback of the machine.
	AllInterfaces bool
	// NoIndex omits the index on _id, for comparison.
	NoIndex bool
}

// Server is a running embedded MongoDB.
type Server struct {
	front   *front
	inner   *ferret
	once    sync.Once
	release func() error // of the data folder
	closing chan struct{}
	done    chan struct{}
	err     error // valid when done is closed
}

// Serve starts a server that runs until ctx ends or Close is called. It accepts connections
// when Serve returns. If another server uses the data directory, the error wraps
// [scratch.ErrLocked].
func Serve(ctx context.Context, opts Options) (_ *Server, err error) {
	if opts.Dir == "" {
		return nil, errors.New("serve mongo: the data folder is missing")
	}
	if opts.Addr == "" {
		opts.Addr = "127.0.0.1:0"
	}
	if err := mockupstream.CheckLoopback(opts.Addr); err != nil && !opts.AllInterfaces {
		return nil, fmt.Errorf("serve mongo: %w", err)
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("serve mongo from %q: %w", opts.Dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("serve mongo: make data folder: %w", err)
	}
	release, err := scratch.Hold(dir)
	if err != nil {
		return nil, fmt.Errorf("serve mongo: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, release())
		}
	}()
	if err := scratch.Lockable(dir); err != nil { // SQLite would wait and then report "database is locked"
		return nil, fmt.Errorf("serve mongo: %w", err)
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
	inner, err := startFerret(ctx, dir, log)
	if err != nil {
		return nil, fmt.Errorf("serve mongo from %q: %w", dir, err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", opts.Addr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("serve mongo: %w", err), inner.stop())
	}
	s := &Server{front: newFront(l, inner.dial, log), inner: inner, release: release, closing: make(chan struct{}), done: make(chan struct{})}
	go s.front.run(ctx)
	go s.supervise(ctx)
	return s, nil
}

// supervise stops everything when ctx ends, at Close, and when FerretDB ends.
func (s *Server) supervise(ctx context.Context) {
	defer close(s.done)
	select {
	case <-ctx.Done():
	case <-s.closing:
	case <-s.inner.done:
	}
	s.front.disconnect()
	err := s.inner.stop()
	s.front.wait()
	s.err = errors.Join(err, s.release())
}

// Addr returns the address of the server.
func (s *Server) Addr() netip.AddrPort {
	return s.front.listener.Addr().(*net.TCPAddr).AddrPort()
}

// URI returns the connection string for clients.
func (s *Server) URI() string { return "mongodb://" + s.Addr().String() + "/" }

// Done returns a channel that is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Close disconnects all clients and stops the server. It waits up to three seconds for
// running commands.
func (s *Server) Close() error {
	s.once.Do(func() { close(s.closing) })
	<-s.done
	return s.err
}

// Version returns the product and its version.
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
