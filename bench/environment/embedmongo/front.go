package embedmongo

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"floodgate/bench/environment/wire"
)

// maxBatch is the greatest number of writes in a command that the server announces to clients.
// FerretDB keeps a connection to SQLite for each existing document that a
// command replaces until the command ends, and has 100 of them.
const maxBatch = 64

// front relays clients to FerretDB and runs one writing command at a time, in the order of
// arrival.
//
// SQLite allows only one writer and lets the others poll with growing pauses: 100 concurrent
// writers lose two thirds of the throughput and wait for seconds. FerretDB alone even
// deadlocks when more than 99 clients replace existing documents at once, each of which holds
// a connection to SQLite and waits for another, and two concurrent upserts of an absent key
// fail with a duplicate key.
type front struct {
	listener net.Listener
	dial     func(ctx context.Context) (stream, error)
	gate     chan struct{} // holds an element a running write
	log      *slog.Logger
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// stream is a connection that can be closed in one direction: TCP's and Unix's can.
type stream interface {
	net.Conn
	CloseWrite() error
}

func newFront(l net.Listener, dial func(context.Context) (stream, error), log *slog.Logger) *front {
	return &front{listener: l, dial: dial, gate: make(chan struct{}, 1), log: log, conns: map[net.Conn]struct{}{}}
}

// run accepts connections until close.
func (f *front) run(ctx context.Context) {
	for {
		client, err := f.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, or a client that went away
			f.log.WarnContext(ctx, "accept", "error", err)
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if !f.track(client) {
			return
		}
		f.wg.Go(func() {
			defer f.forget(client)
			if err := f.relay(ctx, client); err != nil {
				f.log.WarnContext(ctx, "relay", "client", client.RemoteAddr().String(), "error", err)
			}
		})
	}
}

func (f *front) track(c net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		_ = c.Close()
		return false
	}
	f.conns[c] = struct{}{}
	return true
}

func (f *front) forget(c net.Conn) {
	_ = c.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
}

// disconnect stops accepting and disconnects all clients. Running commands continue; wait
// waits for them.
func (f *front) disconnect() {
	_ = f.listener.Close()
	f.mu.Lock()
	f.closed = true
	for c := range f.conns {
		_ = c.Close()
	}
	f.mu.Unlock()
}

func (f *front) wait() { f.wg.Wait() }

// relay serves one client until either side disconnects. It returns after the client's last
// command has ended.
func (f *front) relay(ctx context.Context, client net.Conn) error {
	server, err := f.dial(ctx)
	if err != nil {
		return err
	}
	defer server.Close()
	s := &session{client: client, server: server, gate: f.gate, gone: make(chan struct{})}
	s.writing.Store(none)
	s.hello.Store(none)
	var answering sync.WaitGroup
	answering.Go(s.answers)
	s.requests()
	// FerretDB finishes the current command before it reads the end.
	_ = server.CloseWrite()
	answering.Wait()
	s.release(s.writing.Load())
	return nil
}

// none is not the ID of any request.
const none = -1 << 40

// session is one client's connection, paired with one to FerretDB.
type session struct {
	client, server net.Conn
	gate           chan struct{}
	gone           chan struct{} // closed when FerretDB has disconnected
	writing        atomic.Int64  // the request that holds the gate, or none
	hello          atomic.Int64  // the last handshake's request
}

// requests passes on the client's messages in order; writes must pass the gate.
func (s *session) requests() {
	r := bufio.NewReader(s.client)
	var buf []byte
	for {
		m, err := wire.Read(r, buf)
		if err != nil {
			return
		}
		command := m.Command()
		switch {
		case wire.Hello(command):
			s.hello.Store(int64(m.RequestID()))
		case wire.Writes(command) && !m.MoreToCome():
			if !s.enter(r) {
				return
			}
			s.writing.Store(int64(m.RequestID()))
		}
		if _, err := s.server.Write(m); err != nil {
			return
		}
		buf = m
	}
}

// enter acquires the gate. It returns false if the client or the server has disconnected.
func (s *session) enter(r *bufio.Reader) bool {
	select {
	case s.gate <- struct{}{}:
		return true
	default:
	}
	// Read while the write waits, in order to notice that the client disconnects.
	peeked := make(chan error, 1)
	go func() {
		_, err := r.Peek(1)
		peeked <- err
	}()
	select {
	case s.gate <- struct{}{}:
		_ = s.client.SetReadDeadline(time.Now())
		err := <-peeked
		_ = s.client.SetReadDeadline(time.Time{})
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return true
		}
		<-s.gate
		return false
	case err := <-peeked:
		if err != nil {
			return false
		}
	case <-s.gone:
		return false // the client's connection is closed, which ends the peek
	}
	select { // the client has sent more, so it is still connected
	case s.gate <- struct{}{}:
		return true
	case <-s.gone:
		return false
	}
}

// answers passes on FerretDB's messages and releases the gate after a write.
func (s *session) answers() {
	defer close(s.gone)
	defer s.client.Close() // ends requests
	r := bufio.NewReader(s.server)
	var buf []byte
	for {
		m, err := wire.Read(r, buf)
		if err != nil {
			return
		}
		to := int64(m.ResponseTo())
		s.release(to)
		if s.hello.Load() == to {
			m.SetInt32("maxWriteBatchSize", maxBatch)
		}
		if _, err := s.client.Write(m); err != nil {
			_ = s.client.Close() // ends requests; the answers still to come open the gate
		}
		buf = m
	}
}

// release releases the gate if the request holds it.
func (s *session) release(request int64) {
	if request != none && s.writing.CompareAndSwap(request, none) {
		<-s.gate
	}
}
