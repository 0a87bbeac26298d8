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
	traffic  atomic.Pointer[traffic] // nil: the link adds nothing
	ctx      context.Context         // ends the delays
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

// Serve relays connections to a free port of 127.0.0.1 to target, over a link
// that adds nothing yet, until ctx ends or Close is called. The error is that
// of [Proxy.SetTarget], or that there is no port.
func Serve(ctx context.Context, target Target) (*Proxy, error) {
	p := new(Proxy)
	if err := p.SetTarget(target); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
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

// Addr returns where the proxy listens.
func (p *Proxy) Addr() netip.AddrPort { return p.listener.Addr().(*net.TCPAddr).AddrPort() }

// SetLink sets how the link behaves for the commands that arrive from now on,
// over any connection. Attempts and statistics begin anew.
func (p *Proxy) SetLink(l Link) { p.traffic.Store(newTraffic(l)) }

// Stats returns what the link has done since SetLink.
func (p *Proxy) Stats() Stats { return p.traffic.Load().stats() }

// SetTarget sets where the connections go that are accepted from now on. The
// error is that of a file that the target names; then nothing changes. It does
// not connect; see [Proxy.Check].
func (p *Proxy) SetTarget(t Target) error {
	d, err := t.dialer()
	if err != nil {
		return err
	}
	p.target.Store(d)
	return nil
}

// Check connects to the target once, as for a client, says hello to it, and
// says why it cannot. A client does not hear of it: it sees the end of its
// connection.
func (p *Proxy) Check(ctx context.Context) error { return p.target.Load().check(ctx) }

// Close disconnects all clients and waits until nothing runs any more.
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
		default: // out of descriptors, or a client that went away
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
	cancel() // delayed messages are dropped: there is no reader any more
	wg.Wait()
}
