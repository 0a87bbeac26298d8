package dbproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"floodgate/mockupstream/precise"
)

// Proxy is a running relay.
type Proxy struct {
	listener *net.TCPListener
	clock    *precise.Clock
	target   atomic.Pointer[dialer]
	traffic  atomic.Pointer[traffic] // nil if the link adds nothing
	ctx      context.Context         // ends the delays
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

// Serve relays connections from an address, such as "127.0.0.1:0" for a free port, to
// target until ctx ends or Close is called. Its link initially adds nothing. The error is
// that of [Proxy.SetTarget] or of listening.
func Serve(ctx context.Context, addr string, target Target) (*Proxy, error) {
	p := new(Proxy)
	if err := p.SetTarget(target); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve database proxy: %w", err)
	}
	p.listener, p.clock = l.(*net.TCPListener), precise.New()
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.wg.Go(p.accept)
	p.wg.Go(func() {
		<-p.ctx.Done()
		_ = l.Close()
	})
	return p, nil
}

// Addr returns the address of the proxy.
func (p *Proxy) Addr() netip.AddrPort { return p.listener.Addr().(*net.TCPAddr).AddrPort() }

// SetLink sets the link for the commands that arrive from now on, over any connection. It
// resets attempts and statistics.
func (p *Proxy) SetLink(l Link) { p.traffic.Store(newTraffic(l)) }

// Stats returns the statistics of the link since SetLink.
func (p *Proxy) Stats() Stats { return p.traffic.Load().stats() }

// SetTarget sets the target of the connections that are accepted from now on, without
// connecting to it; see [Proxy.Check]. If a file that the target names cannot be used, it
// returns an error and changes nothing.
func (p *Proxy) SetTarget(t Target) error {
	d, err := t.dialer()
	if err != nil {
		return err
	}
	p.target.Store(d)
	return nil
}

// Check connects to the target once, as for a client, and makes a handshake. It returns the
// reason why it cannot, which clients do not learn: their connections are just closed.
func (p *Proxy) Check(ctx context.Context) error { return p.target.Load().check(ctx) }

// Close disconnects all clients and waits for the end of all goroutines.
func (p *Proxy) Close() {
	p.cancel()
	p.wg.Wait()
	p.clock.Close()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.AcceptTCP()
		switch {
		case err == nil:
			p.wg.Go(func() { p.relay(client) })
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors, or the client has disconnected
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// relay serves one client until either side disconnects.
func (p *Proxy) relay(client *net.TCPConn) {
	defer client.Close()
	server, err := p.target.Load().dial(p.ctx)
	if err != nil {
		return
	}
	defer server.Close()
	ctx, cancel := context.WithCancel(p.ctx)
	stop := context.AfterFunc(ctx, func() { // ends all reads and writes
		_ = client.Close()
		_ = server.Close()
	})
	defer stop()
	s := &session{proxy: p, client: client, server: server, ctx: ctx, held: make(chan request, 64), replies: map[int32]reply{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		s.answers()
	})
	wg.Go(func() {
		defer cancel()
		s.forward()
	})
	s.receive()
	cancel() // drops delayed messages, which have no reader any more
	wg.Wait()
}
