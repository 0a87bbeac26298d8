// Package upstreamproxy stands between a program of the user's own and an external
// upstream. It counts the program's requests, bounds their rate and their number, and
// connects only to hosts that the policy allows:
//
//	p, err := upstreamproxy.Serve(ctx, upstreamproxy.Config{Target: "https://api.example.com/v2", Rate: 100, Requests: 5000, Policy: policy})
//	…
//	fmt.Println(p.URL())             // http://127.0.0.1:39125/v2, for the program
//	fmt.Println(p.Stats(ctx))        // 4711 requests, at most 12 in flight, 3 × http_429
//
// The program speaks HTTP/1.1 without TLS to the proxy, which speaks HTTP/1.1, with TLS
// for an https target, to the upstream. Headers and bodies pass through and are stored
// nowhere. Requests beyond the rate wait; those beyond the number are answered with
// status 503 and the reason.
//
// URLs of the target in the headers Location, Content-Location and Link lead through the
// proxy as well, and cookies lose their domain. A redirect to another host is answered
// with status 502 and the reason, because nothing would bound the requests there. URLs in
// bodies are not changed.
package upstreamproxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"floodgate/bench/environment/target"
	"floodgate/bench/internal/throttle"
	"floodgate/mockupstream/learn"
)

// Bounds of the requests to an external upstream.
type Bounds struct {
	// Rate is the most requests that start in any second, possibly all at once, and
	// Requests the most requests in all; zero requests means that none may be sent.
	Rate     int `json:"rate"`
	Requests int `json:"requests"`
}

// Config of a proxy.
type Config struct {
	// Target is the base URL of the upstream, which [target.ParseUpstream] accepts. Its
	// user and password are sent with requests that have no authorization of their own.
	Target string `json:"target"`
	// Policy determines the hosts that the proxy may connect to.
	Policy target.Policy `json:"policy"`
	Bounds Bounds        `json:"bounds"`
}

// answerTimeout bounds the wait for the header of an answer. It is longer than programs
// wait, whose own timeouts are to be measured.
const answerTimeout = 10 * time.Minute

// Proxy is a running proxy.
type Proxy struct {
	listener net.Listener
	server   *http.Server
	forward  *learn.Proxy
	target   *url.URL // without credentials
	scrub    func(string) string
	rate     *throttle.Bound
	allowed  int // requests in all
	served   chan struct{}
	err      error // of the accept loop, once served is closed

	mu      sync.Mutex
	sent    int // requests in all
	conns   int // open ones of the program
	counted *trial
}

// Serve listens on a free port of 127.0.0.1 until Close is called. It connects to the
// target only when there are requests.
func Serve(ctx context.Context, c Config) (*Proxy, error) {
	upstream, err := target.ParseUpstream(c.Target)
	if err != nil {
		return nil, err
	}
	if c.Bounds.Rate < 1 || c.Bounds.Requests < 0 {
		return nil, fmt.Errorf("the rate must be at least 1 and the requests at least 0 (got %d and %d)", c.Bounds.Rate, c.Bounds.Requests)
	}
	base, err := url.Parse(upstream.URL())
	if err != nil {
		return nil, errors.New("the URL of the upstream is malformed") // its text may hold a password
	}
	shown := *base
	shown.User = nil
	p := &Proxy{
		target: &shown, scrub: target.NewScrubber(upstream.Secrets()).Scrub, rate: throttle.New(c.Bounds.Rate), allowed: c.Bounds.Requests,
		served: make(chan struct{}),
	}
	p.counted = p.newTrial()
	host := *base
	host.Path, host.RawPath = "", "" // the program's URL has the path, so that redirects need no change
	p.forward = learn.NewProxy(learn.ProxyOptions{
		Target: &host, DialContext: c.Policy.DialContext, HTTP1: true, Timeout: answerTimeout, Ended: p.ended, Repeat: p.again,
	})
	if p.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("serve the proxy: %w", err)
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 30 * time.Second, ConnState: p.connState, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(p.served)
		if err := p.server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
			p.err = fmt.Errorf("serve the proxy on %s: %w", p.listener.Addr(), err)
		}
	}()
	return p, nil
}

// Addr returns the address of the proxy.
func (p *Proxy) Addr() netip.AddrPort {
	return p.listener.Addr().(*net.TCPAddr).AddrPort() // of a TCP listener
}

// URL returns the base URL for the program, without a trailing slash.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() + p.target.EscapedPath() }

// Done returns a channel that is closed when the proxy no longer listens.
func (p *Proxy) Done() <-chan struct{} { return p.served }

// Close stops listening, closes all connections, and waits for the end of requests.
func (p *Proxy) Close() error {
	_ = p.server.Close() // the error of a listener that is already closed
	<-p.served
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	p.mu.Lock()
	t := p.counted
	p.mu.Unlock()
	t.settle(ctx)
	p.forward.Close()
	return p.err
}

// ServeHTTP forwards a request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := p.arrive()
	a := &answer{ResponseWriter: w, proxy: p, trial: t, host: r.Host, head: r.Method == http.MethodHead}
	defer t.leave()
	defer a.end()
	if !p.take() {
		t.refuse()
		explain(w, http.StatusServiceUnavailable, fmt.Sprintf("external.requests allows %d requests to the external upstream, and all of them were sent; raise the bound", p.allowed))
		return
	}
	if err := p.rate.Wait(r.Context()); err != nil { // the client left
		p.giveBack()
		t.abandon()
		return
	}
	t.send()
	p.forward.ServeHTTP(a, r.WithContext(context.WithValue(r.Context(), trialKey{}, t)))
}

// errRefused reports that a request is beyond the allowed number.
var errRefused = errors.New("external.requests is spent")

// again counts a request that is sent again, because a kept connection failed before the
// answer, within the bounds of all others.
func (p *Proxy) again(ctx context.Context) error {
	t, ok := ctx.Value(trialKey{}).(*trial)
	if !ok { // ServeHTTP sets it
		return errRefused
	}
	if !p.take() {
		t.refuse()
		return errRefused
	}
	if err := p.rate.Wait(ctx); err != nil { // the client left
		p.giveBack()
		return err
	}
	t.send()
	return nil
}

// trialKey is the key of a request's trial in its context.
type trialKey struct{}

// take takes one of the requests that are allowed, and reports whether there was one.
func (p *Proxy) take() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent >= p.allowed {
		return false
	}
	p.sent++
	return true
}

func (p *Proxy) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent--
}

// arrive counts a request as in flight in the current trial.
func (p *Proxy) arrive() *trial {
	p.mu.Lock()
	t := p.counted
	p.mu.Unlock()
	t.arrive()
	return t
}

func (p *Proxy) connState(_ net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		p.conns++
		p.counted.connected(p.conns)
	case http.StateClosed, http.StateHijacked:
		p.conns--
	case http.StateActive, http.StateIdle:
	}
}

// Reset begins a new trial, whose counts begin at zero. Requests that are in flight
// belong to the trial in which they arrived.
func (p *Proxy) Reset() {
	t := p.newTrial()
	p.mu.Lock()
	defer p.mu.Unlock()
	t.stats.PeakConnections = p.conns
	p.counted = t
}

// settleTimeout bounds the wait for the end of the requests in flight.
const settleTimeout = 2 * time.Second

// Stats returns the counts since Reset. It waits up to two seconds for the end of the
// requests in flight, which may have been answered a moment ago.
func (p *Proxy) Stats(ctx context.Context) Stats {
	p.mu.Lock()
	t, sent := p.counted, p.sent
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	t.settle(ctx)
	s := t.snapshot()
	s.Sent, s.Throttled = sent, p.rate.Throttled()-t.throttledBefore
	return s
}

// explain answers a request with a status and a reason.
func explain(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": "floodgate: " + reason}) // to a client that may have left
}
