package load

import (
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"time"

	"floodgate/results/trace"
)

// traced is a transport that adds the header traceparent to requests, and notes the moments
// of each until they are taken.
type traced struct {
	transport http.RoundTripper
	parent    func(n uint64) string

	mu      sync.Mutex
	moments map[uint64]*moments // of requests in flight, by number
}

// moments are those of one request. The zero time means never.
type moments struct {
	mu                   sync.Mutex // net/http may still work for a request that has ended
	connected, firstByte time.Time
}

// RoundTrip sends a request.
func (t *traced) RoundTrip(r *http.Request) (*http.Response, error) {
	n, ok := numberOf(r)
	if !ok {
		return t.transport.RoundTrip(r)
	}
	m := &moments{}
	t.mu.Lock()
	t.moments[n] = m
	t.mu.Unlock()
	note := func(at *time.Time) {
		m.mu.Lock()
		defer m.mu.Unlock()
		*at = time.Now()
	}
	r = r.Clone(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn:              func(httptrace.GotConnInfo) { note(&m.connected) },
		GotFirstResponseByte: func() { note(&m.firstByte) },
	}))
	r.Header.Set(trace.Header, t.parent(n))
	return t.transport.RoundTrip(r)
}

// CloseIdleConnections closes those of the transport.
func (t *traced) CloseIdleConnections() {
	if c, ok := t.transport.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// take returns the moments of a request since began, and forgets them.
func (t *traced) take(n uint64, began time.Time) (connected, firstByte time.Duration) {
	t.mu.Lock()
	m := t.moments[n]
	delete(t.moments, n)
	t.mu.Unlock()
	if m == nil { // it was not sent
		return 0, 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	since := func(at time.Time) time.Duration {
		if at.IsZero() {
			return 0
		}
		return at.Sub(began)
	}
	return since(m.connected), since(m.firstByte)
}

// numberOf returns the number that targeter gave to a request.
func numberOf(r *http.Request) (n uint64, ok bool) {
	text := r.URL.Fragment
	if text == "" {
		text = r.URL.RawQuery[strings.LastIndexByte(r.URL.RawQuery, '=')+1:]
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}
