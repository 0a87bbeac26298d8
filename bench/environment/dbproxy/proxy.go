// Package dbproxy makes a MongoDB slower by a constant: a relay that holds each
// command that reads or changes documents back for a settable time.
//
// Only requests are delayed, by the same time each, in the order in which they
// came: commands that a client sends without waiting, up to 64 at a time, are
// each delayed from their own arrival. Handshakes, pings and other commands without documents
// pass at once, unless they follow a command that is held back. Compressed
// messages, whose command cannot be seen, are held back; neither FerretDB nor
// a client that was not told to compress sends them.
package dbproxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"floodgate/bench/environment/wire"
	"floodgate/mockupstream/precise"
)

// Proxy is a running relay.
type Proxy struct {
	listener net.Listener
	clock    *precise.Clock
	target   atomic.Pointer[string]
	latency  atomic.Int64
	ctx      context.Context // ends the delays
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

// Serve relays connections to a free port of 127.0.0.1 to target, host:port,
// without a delay yet, until ctx ends or Close is called.
func Serve(ctx context.Context, target string) (*Proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve database proxy: %w", err)
	}
	p := &Proxy{listener: l, clock: precise.New()}
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.SetTarget(target)
	p.wg.Go(p.accept)
	p.wg.Go(func() {
		<-p.ctx.Done()
		_ = l.Close()
	})
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() netip.AddrPort { return p.listener.Addr().(*net.TCPAddr).AddrPort() }

// SetLatency sets the delay of the commands that arrive from now on.
func (p *Proxy) SetLatency(d time.Duration) { p.latency.Store(int64(max(d, 0))) }

// SetTarget sets where the connections go that are accepted from now on.
func (p *Proxy) SetTarget(target string) { p.target.Store(&target) }

// Close disconnects all clients and waits until nothing runs any more.
func (p *Proxy) Close() {
	p.cancel()
	p.wg.Wait()
	p.clock.Close()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		switch {
		case err == nil:
			p.wg.Go(func() { p.relay(client) })
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors, or a client that went away
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// relay serves one client until either side disconnects.
func (p *Proxy) relay(client net.Conn) {
	defer client.Close()
	server, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(p.ctx, "tcp", *p.target.Load())
	if err != nil {
		return // the client sees the end of its connection
	}
	defer server.Close()
	ctx, cancel := context.WithCancel(p.ctx)
	stop := context.AfterFunc(ctx, func() { // ends all reads and writes
		_ = client.Close()
		_ = server.Close()
	})
	defer stop()
	held := make(chan request, 64)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		_, _ = io.Copy(client, server)
	})
	wg.Go(func() {
		defer cancel()
		p.forward(ctx, server, held)
	})
	p.receive(ctx, client, held)
	cancel() // what is held back is dropped: nobody waits for it any more
	wg.Wait()
}

// request is a message and when to pass it on.
type request struct {
	message wire.Message
	due     time.Time // zero: at once
}

// receive stamps the client's messages with when they are due.
func (p *Proxy) receive(ctx context.Context, client net.Conn, held chan<- request) {
	defer close(held)
	r := bufio.NewReader(client)
	for {
		m, err := wire.Read(r, nil)
		if err != nil {
			return
		}
		var due time.Time
		if d := time.Duration(p.latency.Load()); d > 0 && delayed(m) {
			due = time.Now().Add(d)
		}
		select {
		case held <- request{m, due}:
		case <-ctx.Done():
			return
		}
	}
}

func delayed(m wire.Message) bool {
	return m.OpCode() == wire.OpCompressed || wire.TouchesDocuments(m.Command())
}

// forward passes messages on when they are due.
func (p *Proxy) forward(ctx context.Context, server net.Conn, held <-chan request) {
	for r := range held {
		if wait := time.Until(r.due); !r.due.IsZero() && wait > 0 {
			if p.clock.Sleep(ctx, wait) != nil {
				return
			}
		}
		if _, err := server.Write(r.message); err != nil {
			return
		}
	}
}
