// Package web serves the page of a run in progress to browsers on this machine:
//
//	s, err := web.Serve(ctx, "127.0.0.1:0")
//	defer s.Close()
//	fmt.Println(s.URL())                  // http://127.0.0.1:40123/4VJXQ…/
//	runner.Progress = s.Progress(id, scenario)
//	…
//	s.Finish(ctx, report)                 // the page becomes the report
//
// Whoever has the URL may read: its token is random. Nothing can be written. The run does
// not wait for readers: it appends to a state, of which a picture is drawn at most once a
// second, and only while a page is open. All pages get the same one.
package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"floodgate/mockupstream"
	"floodgate/results/report/html"
)

// Bounds on what readers can cost.
const (
	// maxConnections and maxStreams are the numbers of connections and of pages that follow
	// the run. Further connections wait; further pages are told to try again.
	maxConnections = 128
	maxStreams     = 16
	// drawEvery is the least time between two pictures, and drawShare how many times longer
	// the pause after a picture is than it took to draw.
	drawEvery = time.Second
	drawShare = 20
	// writeTimeout bounds one write to a slow reader, whose connection is then closed.
	writeTimeout = 10 * time.Second
	// lingering bounds the wait until open pages have fetched the report, and closeTimeout
	// that for requests in progress afterwards.
	lingering    = 10 * time.Second
	closeTimeout = time.Second
)

// Server serves the page of one run.
type Server struct {
	listener net.Listener
	token    string
	hosts    []string // that requests may name
	http     *http.Server
	serving  sync.WaitGroup
	state    *state
	every    time.Duration // drawEvery, except in tests

	drawing sync.Mutex // held while a picture is drawn
	picture *picture

	mu      sync.Mutex
	streams int
	report  []byte        // nil means that the run has not finished
	waiting int           // pages that have not fetched the report
	ended   chan struct{} // closed when the run has finished or the server closes
	over    bool          // whether ended is closed
	fetched chan struct{} // closed when no page is waiting
}

// Serve listens on a loopback address; port 0 picks a free one. The caller must close the
// server.
func Serve(ctx context.Context, addr string) (*Server, error) {
	if err := mockupstream.CheckLoopback(addr); err != nil {
		return nil, fmt.Errorf("serve the page: %w", err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve the page: %w", err)
	}
	if err := mockupstream.CheckLoopback(listener.Addr().String()); err != nil { // localhost may be any address
		_ = listener.Close() // nothing was accepted
		return nil, fmt.Errorf("serve the page: %w", err)
	}
	return newServer(listener), nil
}

// newServer serves on a listener.
func newServer(listener net.Listener) *Server {
	at := listener.Addr().String()
	_, port, _ := net.SplitHostPort(at) // which it has
	s := &Server{
		listener: listener, token: rand.Text(), hosts: []string{at, net.JoinHostPort("localhost", port)},
		state: newState(), every: drawEvery, ended: make(chan struct{}), fetched: make(chan struct{}),
	}
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // a reader's mistakes are not those of the run
	}
	s.serving.Go(func() { _ = s.http.Serve(netutil.LimitListener(listener, maxConnections)) }) // until Close
	return s
}

// URL returns the address of the page, with its token.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/" + s.token + "/" }

// Finish makes the page the report, a whole HTML document, and waits until every page that
// followed the run has fetched it, ctx is done or 10 seconds are over. It returns at once if
// no page is open.
func (s *Server) Finish(ctx context.Context, report []byte) {
	s.mu.Lock()
	s.report, s.waiting = report, s.streams
	open := s.waiting > 0
	s.end()
	s.mu.Unlock()
	if !open {
		return
	}
	limit := time.NewTimer(lingering)
	defer limit.Stop()
	select {
	case <-s.fetched:
	case <-ctx.Done():
	case <-limit.C:
	}
}

// end tells the streams that the run is over. The caller holds the lock.
func (s *Server) end() {
	if !s.over {
		s.over = true
		close(s.ended)
	}
}

// Close stops listening, tells open pages that there is no report if there is none, and
// closes all connections.
func (s *Server) Close() {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // aborts answers that are not read
	}
	s.serving.Wait()
}

// The policies of the two pages. A report has no script.
const (
	policy       = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
	livePolicy   = policy + "connect-src 'self'; style-src 'nonce-%s'; script-src 'nonce-%s'"
	reportPolicy = policy + "style-src 'unsafe-inline'"
)

// ServeHTTP answers requests that name this server and its token, and come from no page of
// another origin; all others get a status and nothing else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	token, file, slash := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case !slices.Contains(s.hosts, r.Host) || !s.sameOrigin(r.Header):
		w.WriteHeader(http.StatusForbidden)
	case subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1:
		w.WriteHeader(http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
	case !slash:
		h.Set("Location", "/"+s.token+"/")
		w.WriteHeader(http.StatusPermanentRedirect)
	case file == "":
		s.page(w, r)
	case file == "events":
		s.events(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// sameOrigin reports whether a request comes from our page or from the address bar, as far
// as the browser says. Programs other than browsers do not say.
func (s *Server) sameOrigin(h http.Header) bool {
	for _, origin := range h.Values("Origin") {
		if host, ok := strings.CutPrefix(origin, "http://"); !ok || !slices.Contains(s.hosts, host) {
			return false
		}
	}
	for _, site := range h.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}

// page serves the report, or the page that follows the run.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	report := s.report
	s.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if report == nil {
		nonce := rand.Text()
		var body []byte
		p, err := s.latest()
		if err == nil {
			body, err = html.LivePage(p.fragment, nonce)
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		h.Set("Content-Security-Policy", fmt.Sprintf(livePolicy, nonce, nonce))
		_ = s.write(w, body) // the reader has gone
		return
	}
	h.Set("Content-Security-Policy", reportPolicy)
	if s.write(w, report) == nil && r.Method == http.MethodGet {
		s.delivered()
	}
}

// delivered counts a page that has fetched the report.
func (s *Server) delivered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting--; s.waiting == 0 {
		close(s.fetched)
	}
}

// write sends a part of an answer to a reader, who must take it in time.
func (s *Server) write(w http.ResponseWriter, text []byte) error {
	c := http.NewResponseController(w)
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	return c.Flush()
}
