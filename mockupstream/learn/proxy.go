package learn

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"
)

// maxExchanges bounds the memory of a recording, to about 50 MB.
const maxExchanges = 1_000_000

// defaultTimeout exceeds the timeouts of most clients.
const defaultTimeout = time.Minute

// ProxyOptions configures a Proxy. Target is required.
type ProxyOptions struct {
	// Target is the base URL of the upstream. Its userinfo, if any, becomes the
	// Authorization of requests that have none.
	Target *url.URL
	// DialContext connects to the upstream; nil means net.Dialer's.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS configures connections to an https target; nil means the system's roots.
	TLS *tls.Config
	// Timeout bounds the wait for the header of an answer; zero means 1 minute.
	Timeout time.Duration
	// HTTP1 connects over HTTP/1.1 even where an https target offers HTTP/2.
	HTTP1 bool
	// Unreachable, if not nil, is called with the error of each failed connection. The
	// error contains nothing of a request.
	Unreachable func(error)
	// Ended, if not nil, receives each exchange in place of the recording, with the
	// context of its request and the error that ended it. The error is nil for an answer,
	// also a truncated or abandoned one, and [ErrRepeated] for an attempt that was repeated.
	Ended func(ctx context.Context, e Exchange, err error)
	// Repeat, if not nil, is called before a GET, HEAD or OPTIONS without a body is sent
	// again, because a kept connection failed before the answer; an error keeps it from
	// being sent. Nil means that the transport sends it again on its own.
	Repeat func(ctx context.Context) error
}

// ErrRepeated is the error of an attempt at a request on a kept connection that failed
// before the answer, so that it was repeated on another one.
var ErrRepeated = errors.New("a kept connection failed before the answer")

// Proxy is an http.Handler that forwards requests to its target and records their timing.
// It passes redirects to the client, streams bodies, and stores no request or answer.
// Close frees its connections.
type Proxy struct {
	reverse   *httputil.ReverseProxy
	transport *http.Transport
	began     time.Time
	failed    func(error)
	ended     func(context.Context, Exchange, error) // nil means that exchanges are recorded
	repeat    func(context.Context) error            // nil means that the transport repeats

	mu        sync.Mutex
	recording Recording
}

// NewProxy returns a proxy whose recording starts now.
func NewProxy(o ProxyOptions) *Proxy {
	p := &Proxy{began: time.Now(), failed: o.Unreachable, ended: o.Ended, repeat: o.Repeat}
	p.transport = &http.Transport{ // without a proxy from the environment
		DialContext: o.DialContext, TLSClientConfig: o.TLS, ForceAttemptHTTP2: !o.HTTP1,
		ResponseHeaderTimeout: cmp.Or(o.Timeout, defaultTimeout), TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 1024, IdleConnTimeout: 90 * time.Second,
		DisableCompression: true, // clients negotiate it with the upstream
	}
	target := *o.Target
	user := target.User
	target.User = nil
	p.reverse = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&target)
			r.Out.URL.RawQuery = r.In.URL.RawQuery // ReverseProxy leaves out parameters that Go cannot parse
			if user != nil && r.Out.Header.Get("Authorization") == "" {
				password, _ := user.Password()
				r.Out.SetBasicAuth(user.Username(), password)
			}
		},
		Transport:     p,
		FlushInterval: -1, // flush at once
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, err) },
	}
	return p
}

// ServeHTTP forwards a request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.reverse.ServeHTTP(w, r) }

// Close closes the idle connections to the target.
func (p *Proxy) Close() { p.transport.CloseIdleConnections() }

// Recording returns a copy of the exchanges that have ended so far.
func (p *Proxy) Recording() Recording {
	p.mu.Lock()
	r := p.recording
	r.Exchanges = slices.Clone(r.Exchanges)
	p.mu.Unlock()
	slices.SortStableFunc(r.Exchanges, func(a, b Exchange) int { return cmp.Compare(a.Start, b.Start) })
	return r
}

func (p *Proxy) record(ctx context.Context, e Exchange, err error) {
	if p.ended != nil {
		p.ended(ctx, e, err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.recording.Exchanges) == maxExchanges {
		p.recording.Unrecorded++
		return
	}
	p.recording.Exchanges = append(p.recording.Exchanges, e)
}

// failure is the error of a failed exchange that the client sees.
type failure struct{ Failure }

func (f failure) Error() string { return string(f.Failure) }

// refuse answers a request whose exchange failed. The text of the transport's
// error may quote the upstream, so the client gets the kind of failure only.
func refuse(w http.ResponseWriter, err error) {
	status, kind := http.StatusBadGateway, failure{Reset}
	if errors.As(err, &kind) && kind.Failure == TimedOut {
		status = http.StatusGatewayTimeout
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": "the exchange with the upstream failed: " + kind.Error()}) // fails if the client has disconnected
}

// RoundTrip sends the request and records its exchange, which ends with the
// body of the answer.
func (p *Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	attempts := attempts{entered: time.Now()}
	response, err := p.send(r, &attempts)
	for err != nil && p.bounded(r) && attempts.stale(err) && r.Context().Err() == nil && p.repeat(r.Context()) == nil {
		attempts.restart()
		response, err = p.send(r, &attempts)
	}
	now := time.Since(p.began)
	start := attempts.finish(func(from, to time.Time) {
		// The transport repeats a request on its own if a reused connection fails before
		// the answer. The upstream, and the mock, see two requests.
		p.record(r.Context(), Exchange{Start: from.Sub(p.began), First: to.Sub(p.began), End: to.Sub(p.began), Failure: Reset}, ErrRepeated)
	})
	e := Exchange{Start: start.at.Sub(p.began), First: now, End: now}
	if err != nil {
		e.Failure = classify(r.Context(), start, err)
		if e.Failure == Unreachable && p.failed != nil {
			p.failed(err)
		}
		p.record(r.Context(), e, err)
		return nil, failure{e.Failure}
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return response, nil // switched to another protocol
	}
	e.Status = response.StatusCode
	response.Body = &body{ReadCloser: response.Body, proxy: p, exchange: e, client: r.Context()}
	return response, nil
}

// send sends the request, once if the proxy bounds its repeats.
func (p *Proxy) send(r *http.Request, a *attempts) (*http.Response, error) {
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { a.connected(c.Reused) }}
	traced := r.WithContext(httptrace.WithClientTrace(r.Context(), trace))
	if p.bounded(r) {
		traced.Body = noBody{} // the transport repeats no request with a body that it cannot rewind
	}
	return p.transport.RoundTrip(traced)
}

// bounded reports whether the proxy decides on repeats of a request in place of the transport.
func (p *Proxy) bounded(r *http.Request) bool {
	return p.repeat != nil && (r.Body == nil || r.Body == http.NoBody) && slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, r.Method)
}

// noBody is an empty body, of which the transport does not know that it is.
type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }
func (noBody) Close() error             { return nil }

// attempts records the connections on which the transport tried one request. Its hooks
// run in goroutines of the transport.
type attempts struct {
	entered time.Time
	mu      sync.Mutex
	times   []time.Time
	reused  bool // the last connection
}

// restart forgets the connections so far.
func (a *attempts) restart() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entered, a.times, a.reused = time.Now(), nil, false
}

func (a *attempts) connected(reused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times, a.reused = append(a.times, time.Now()), reused
}

// stale reports whether an error may be that of a kept connection that the upstream had
// closed.
func (a *attempts) stale(err error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	var timeout net.Error
	return a.reused && (!errors.As(err, &timeout) || !timeout.Timeout())
}

// begin is the start of an exchange, and whether it had a connection.
type begin struct {
	at        time.Time
	connected bool
}

// finish calls repeated for each attempt but the last, and returns the last.
func (a *attempts) finish(repeated func(from, to time.Time)) begin {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.times) == 0 {
		return begin{at: a.entered}
	}
	for i, t := range a.times[1:] {
		repeated(a.times[i], t)
	}
	return begin{at: a.times[len(a.times)-1], connected: true}
}

func classify(client context.Context, start begin, err error) Failure {
	var timeout net.Error
	switch {
	case client.Err() != nil:
		return Abandoned
	case !start.connected:
		return Unreachable
	case errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Closed
	}
	return Reset
}

// body counts the bytes of an answer and records its exchange at the end.
type body struct {
	io.ReadCloser
	proxy    *Proxy
	exchange Exchange
	client   context.Context
	done     bool
}

func (b *body) Read(buffer []byte) (int, error) {
	n, err := b.ReadCloser.Read(buffer)
	b.exchange.Bytes += int64(n)
	switch {
	case err == io.EOF:
		b.end("")
	case err != nil && b.client.Err() != nil:
		b.end(Abandoned)
	case err != nil:
		b.end(Truncated)
	}
	return n, err
}

// Close before the end of the body means that the client left.
func (b *body) Close() error {
	b.end(Abandoned)
	return b.ReadCloser.Close()
}

func (b *body) end(f Failure) {
	if b.done {
		return
	}
	b.done = true
	b.exchange.Failure = f
	b.exchange.End = time.Since(b.proxy.began)
	b.proxy.record(b.client, b.exchange, nil)
}
