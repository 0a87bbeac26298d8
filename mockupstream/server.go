package mockupstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ServerOptions configures Serve. The zero value listens on a free port and
// does not allow control.
type ServerOptions struct {
	// Addr to listen on: a loopback address and a port. Default "127.0.0.1:0".
	Addr string
	// AllInterfaces allows an Addr that is not loopback, for use inside a container
	// whose ports are published on the machine's loopback interface.
	AllInterfaces bool
	// Control allows PUT /profile.
	Control bool
}

// Server serves an Upstream over HTTP/1.1.
type Server struct {
	http     *http.Server
	listener net.Listener
	stop     func() bool
	serving  sync.WaitGroup // the accept loop and open connections
	err      error          // of the accept loop, once serving is done
	closing  sync.Once
}

// Serve listens and serves u until ctx is done or Close is called. It fails if
// the address is not loopback, unless o.AllInterfaces is set.
func Serve(ctx context.Context, o ServerOptions, u *Upstream) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if err := CheckLoopback(o.Addr); err != nil && !o.AllInterfaces {
		return nil, fmt.Errorf("serve mock upstream: %w", err)
	}
	// On loopback, neither multipath TCP, Go's default for a listener, nor keep-alive
	// probes are useful, and both cost time for each connection.
	config := net.ListenConfig{KeepAlive: -1}
	config.SetMultipathTCP(false)
	listener, err := config.Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("serve mock upstream: %w", err)
	}
	s := &Server{listener: listener}
	s.http = &http.Server{Handler: u, ReadHeaderTimeout: 30 * time.Second}
	if o.Control {
		s.http.Handler = u.Control()
	}
	s.http.ConnState = func(conn net.Conn, state http.ConnState) {
		u.ConnState(conn, state)
		switch state {
		case http.StateNew:
			s.serving.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.serving.Done()
		case http.StateActive, http.StateIdle:
		}
	}
	s.serving.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("serve mock upstream on %s: %w", listener.Addr(), err)
		}
	})
	s.stop = context.AfterFunc(ctx, s.shut)
	return s, nil
}

// URL returns the server's URL, such as "http://127.0.0.1:8080", without a trailing slash.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Wait waits until the server has stopped and every connection is closed. It
// returns nil after Close or the end of Serve's context.
func (s *Server) Wait() error {
	s.serving.Wait()
	return s.err
}

// Close stops listening, closes all connections (which ends the requests in
// flight) and waits for them.
func (s *Server) Close() error {
	s.stop()
	s.shut()
	return s.Wait()
}

func (s *Server) shut() {
	s.closing.Do(func() { _ = s.http.Close() }) // the error of a listener that is already closed
}

// CheckLoopback returns an error unless addr, "host:port", is a loopback
// address: this project's servers do not ask for passwords.
func CheckLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: %w", addr, err)
	}
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("address %q is not a loopback address, so other machines could reach it (want 127.0.0.1, [::1] or localhost, with a port)", addr)
}

// LoopbackAddress returns the address "host:port" that a text names: "9090" and ":9090"
// mean 127.0.0.1:9090. A host that other machines can reach is an error.
func LoopbackAddress(text string) (string, error) {
	if !strings.Contains(text, ":") {
		text = ":" + text
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", fmt.Errorf("address %q: %w", text, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("address %q: want a port from 0 to 65535, optionally after a loopback host", text)
	}
	addr := net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)
	if err := CheckLoopback(addr); err != nil {
		return "", err
	}
	return addr, nil
}
