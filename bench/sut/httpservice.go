package sut

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"floodgate/scenarios"
)

// FreeAddr returns a loopback address whose port was free a moment ago.
func FreeAddr() (string, error) {
	all, err := FreeAddrs(1)
	if err != nil {
		return "", err
	}
	return all[0], nil
}

// FreeAddrs returns that many different loopback addresses, whose ports were free a moment
// ago.
func FreeAddrs(n int) ([]string, error) {
	var all []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // all at once, so that no port is chosen twice
		all = append(all, l.Addr().String())
	}
	return all, nil
}

// logWatch keeps the end of an output, and looks for a text in its lines.
type logWatch struct {
	*tail
	want  []byte // empty: nothing is looked for
	once  *sync.Once
	found chan struct{}
	rest  []byte // of a line that has not ended
}

func (w *logWatch) Write(b []byte) (int, error) {
	if n, err := w.tail.Write(b); len(w.want) == 0 || err != nil {
		return n, err
	}
	w.rest = append(w.rest, b...)
	if bytes.Contains(w.rest, w.want) {
		w.once.Do(func() { close(w.found) })
		w.want, w.rest = nil, nil
		return len(b), nil
	}
	if end := bytes.LastIndexByte(w.rest, '\n'); end >= 0 {
		w.rest = append(w.rest[:0], w.rest[end+1:]...)
	}
	if over := len(w.rest) - maxLogLine; over > 0 {
		w.rest = append(w.rest[:0], w.rest[over:]...)
	}
	return len(b), nil
}

// maxLogLine bounds the part of a line in which a text is looked for, in bytes.
const maxLogLine = 64 << 10

// ReadyInterval is the interval in which a service is tried until it is ready.
const ReadyInterval = 20 * time.Millisecond

// Dial opens a connection, like net.Dialer.DialContext.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// AwaitReady waits until an HTTP service that listens on addr, to which dial connects,
// shows that it is ready. Errors: ErrExited, or when ctx ends the last reason why it was
// not ready.
func (p *Process) AwaitReady(ctx context.Context, r scenarios.Ready, addr string, dial Dial, tlsConfig *tls.Config) error {
	if r.Log != "" {
		select {
		case <-p.logged:
			return nil
		case <-p.exited:
			return ErrExited
		case <-ctx.Done():
			return fmt.Errorf("no line of its output contains %q", r.Log)
		}
	}
	try := dial.ready
	if r.HTTP != "" {
		transport := &http.Transport{DialContext: dial, TLSClientConfig: tlsConfig, DisableKeepAlives: true}
		scheme := "http://"
		if tlsConfig != nil {
			scheme = "https://"
		}
		try = func(ctx context.Context, addr string) error { return getReady(ctx, transport, scheme+addr+r.HTTP) }
	}
	ticker := time.NewTicker(ReadyInterval)
	defer ticker.Stop()
	var last error
	for {
		err := try(ctx, addr)
		if err == nil {
			return nil
		}
		deadline, bounded := ctx.Deadline()
		ended := ctx.Err() != nil || bounded && time.Now().After(deadline)
		if last == nil || !ended { // the end of ctx is not a reason
			last = err
		}
		select {
		case <-p.exited:
			return ErrExited
		case <-ctx.Done():
			return last
		case <-ticker.C:
		}
	}
}

// tryTimeout bounds one try.
const tryTimeout = 2 * time.Second

// ready connects once.
func (dial Dial) ready(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	c, err := dial(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

func getReady(ctx context.Context, transport *http.Transport, url string) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Errorf("GET %s answers %s", url, resp.Status)
	}
	return nil
}

// Exited returns a channel that is closed when the process is gone.
func (p *Process) Exited() <-chan struct{} { return p.exited }
