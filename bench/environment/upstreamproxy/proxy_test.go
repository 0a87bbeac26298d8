package upstreamproxy_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"floodgate/bench/environment/target"
	"floodgate/bench/environment/upstreamproxy"
)

// TestMain makes the certificate of httptest one of the system's, which are read once.
func TestMain(m *testing.M) {
	tls := httptest.NewTLSServer(nil)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw})
	tls.Close()
	dir, err := os.MkdirTemp("", "upstreamproxy-test-")
	if err != nil {
		log.Fatal(err)
	}
	file := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		log.Fatal(err)
	}
	os.Setenv("SSL_CERT_FILE", file)
	code := m.Run()
	os.RemoveAll(dir)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		code = 1
	}
	os.Exit(code)
}

// serve serves a proxy in front of a URL.
func serve(t *testing.T, c upstreamproxy.Config) *upstreamproxy.Proxy {
	t.Helper()
	if c.Bounds == (upstreamproxy.Bounds{}) {
		c.Bounds = upstreamproxy.Bounds{Rate: 100_000, Requests: 100_000}
	}
	p, err := upstreamproxy.Serve(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		<-p.Done()
	})
	return p
}

// upstream serves a handler as the upstream.
func upstream(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// answered is an answer that was read to its end.
type answered struct {
	status int
	header http.Header
	text   string
	err    error // of the body
}

// get fetches a URL over a connection of its own, without following redirects.
func get(t *testing.T, url string, header ...string) answered {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answered{response.StatusCode, response.Header, string(body), err}
}

// errorsOf returns the counts of errors by type.
func errorsOf(s upstreamproxy.Stats) string {
	var all []string
	for _, e := range s.Errors {
		all = append(all, fmt.Sprintf("%s × %d", e.Type, e.Count))
	}
	slices.Sort(all) // the next exchange may end before an earlier one is counted
	return strings.Join(all, ", ")
}

// Requests arrive as they were sent, with the credentials of the URL if they have none,
// and are counted.
func TestForwarding(t *testing.T) {
	u := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "%s %s host=%s user=%s:%s token=%s for=%s", r.Method, r.RequestURI, r.Host, user, password, r.Header.Get("X-Token"), r.Header.Get("X-Forwarded-For"))
	})
	p := serve(t, upstreamproxy.Config{Target: strings.Replace(u.URL, "http://", "http://me:hush@", 1) + "/v2"})
	if strings.Contains(p.URL(), "hush") || !strings.HasSuffix(p.URL(), "/v2") || p.URL() != "http://"+p.Addr().String()+"/v2" {
		t.Errorf("URL %s", p.URL())
	}
	host := strings.TrimPrefix(u.URL, "http://")
	if got, want := get(t, p.URL()+"/a%2Fb?x=1;2&y", "X-Token", "t0ken").text, "GET /v2/a%2Fb?x=1;2&y host="+host+" user=me:hush token=t0ken for="; got != want {
		t.Errorf("the upstream got %q, want %q", got, want)
	}
	if got := get(t, p.URL(), "Authorization", "Bearer own").text; strings.Contains(got, "hush") {
		t.Errorf("the program's own authorization was replaced: %q", got)
	}
	s := p.Stats(t.Context())
	if s.Requests != 2 || s.Sent != 2 || s.PeakInFlight != 1 || s.Connections != 2 || s.PeakConnections < 1 || s.Throttled+s.Refused+s.Abandoned > 0 || s.Errors != nil {
		t.Errorf("%+v", s)
	}
	p.Reset()
	if s := p.Stats(t.Context()); s.Requests != 0 || s.Sent != 2 || s.PeakInFlight != 0 {
		t.Errorf("after the reset: %+v", s)
	}
}

// Requests in flight at once are counted, and so are errors by type.
func TestCounts(t *testing.T) {
	const n = 7
	var together sync.WaitGroup
	together.Add(n)
	u := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/together":
			together.Done()
			together.Wait()
		case "/429":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/404":
			w.WriteHeader(http.StatusNotFound)
		case "/500":
			w.WriteHeader(http.StatusInternalServerError)
		case "/reset":
			panic(http.ErrAbortHandler)
		case "/truncated":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "ten bytes!")
		}
	})
	p := serve(t, upstreamproxy.Config{Target: u.URL})
	// The first: over a kept connection, net/http would send the request again.
	if a := get(t, p.URL()+"/reset"); a.status != http.StatusBadGateway || !strings.Contains(a.text, "the exchange with the upstream failed: closed") {
		t.Errorf("reset: %+v", a)
	}
	for _, path := range []string{"/429", "/404", "/404", "/500"} {
		if a := get(t, p.URL()+path); "/"+fmt.Sprint(a.status) != path {
			t.Errorf("%s: status %d", path, a.status)
		}
	}
	if a := get(t, p.URL()+"/truncated"); a.err == nil {
		t.Errorf("a truncated answer arrived whole: %+v", a)
	}
	var clients sync.WaitGroup
	for range n {
		clients.Go(func() { get(t, p.URL()+"/together") })
	}
	clients.Wait()
	s := p.Stats(t.Context())
	if want := "http_429 × 1, http_4xx × 2, http_5xx × 1, http_truncated × 1, reset × 1"; s.Requests != n+6 || s.PeakInFlight != n || errorsOf(s) != want {
		t.Errorf("%d requests, %d in flight, %s; want %s", s.Requests, s.PeakInFlight, errorsOf(s), want)
	}
}

// A client that sends one request after another never has two in flight, however the
// answers end.
func TestInFlightEndsBeforeTheAnswer(t *testing.T) {
	u := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/sized":
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "ten bytes!")
		case "/chunked":
			fmt.Fprint(w, "some")
			_ = http.NewResponseController(w).Flush()
			fmt.Fprint(w, "thing")
		case "/away":
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	p := serve(t, upstreamproxy.Config{Target: u.URL})
	for range 50 {
		for _, path := range []string{"/sized", "/chunked", "/none", "/away"} {
			get(t, p.URL()+path)
		}
	}
	if s := p.Stats(t.Context()); s.Requests != 200 || s.PeakInFlight != 1 {
		t.Errorf("%+v", s)
	}
}

// Requests beyond the number are refused with the reason and not sent; requests beyond
// the rate wait.
func TestBounds(t *testing.T) {
	t.Parallel() // it waits a second for the rate
	var mu sync.Mutex
	got := 0
	u := upstream(t, func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got++
	})
	p := serve(t, upstreamproxy.Config{Target: u.URL, Bounds: upstreamproxy.Bounds{Rate: 2, Requests: 3}})
	for i := range 5 {
		a := get(t, p.URL())
		if sent := i < 3; sent && a.status != http.StatusOK || !sent && (a.status != http.StatusServiceUnavailable || !strings.Contains(a.text, "external.requests allows 3 requests")) {
			t.Errorf("request %d: %+v", i, a)
		}
	}
	if s := p.Stats(t.Context()); got != 3 || s.Requests != 3 || s.Sent != 3 || s.Refused != 2 || s.Throttled != 1 {
		t.Errorf("the upstream got %d requests, %+v", got, s)
	}
	p.Reset()
	if a, s := get(t, p.URL()), p.Stats(t.Context()); a.status != http.StatusServiceUnavailable || s.Refused != 1 || s.Throttled != 0 {
		t.Errorf("the number is one of all trials: status %d, %+v", a.status, s)
	}
}

// A request that is sent again, because a kept connection failed, counts as another one
// and is bounded like all others.
func TestRepeatsAreBounded(t *testing.T) {
	for allowed, want := range map[int]string{2: "2 requests, 1 refused, status 502", 3: "3 requests, 0 refused, status 200"} {
		var got atomic.Int64
		u := upstream(t, func(http.ResponseWriter, *http.Request) {
			if got.Add(1) == 2 {
				panic(http.ErrAbortHandler)
			}
		})
		p := serve(t, upstreamproxy.Config{Target: u.URL, Bounds: upstreamproxy.Bounds{Rate: 100, Requests: allowed}})
		get(t, p.URL())
		a, s := get(t, p.URL()), p.Stats(t.Context())
		sent := int(got.Load())
		if text := fmt.Sprintf("%d requests, %d refused, status %d", sent, s.Refused, a.status); text != want || s.Requests != sent || s.Sent != sent {
			t.Errorf("allowed %d: %s, want %s; %+v", allowed, text, want, s)
		}
	}
}

// URLs of the upstream lead through the proxy; a redirect to another host is refused.
func TestURLsInHeaders(t *testing.T) {
	const other = "http://elsewhere.example/v2/x?token=hush"
	var u *httptest.Server
	u = upstream(t, func(w http.ResponseWriter, r *http.Request) {
		text := strings.ReplaceAll(r.Header.Get("X-Want"), "UPSTREAM", u.URL)
		name, value, _ := strings.Cut(text, ": ")
		w.Header().Set(name, value)
		if name == "Location" && r.Header.Get("X-Created") == "" {
			w.WriteHeader(http.StatusFound)
		} else {
			w.WriteHeader(http.StatusCreated)
		}
	})
	p := serve(t, upstreamproxy.Config{Target: u.URL + "/v2"})
	proxy := "http://" + p.Addr().String()
	for want, header := range map[string]string{
		"Location: " + proxy + "/v2/x?a=b#c":   "Location: UPSTREAM/v2/x?a=b#c",
		"Location: " + proxy + "/elsewhere":    "Location: UPSTREAM/elsewhere",
		"Location: /v2/x":                      "Location: /v2/x",
		"Location: x":                          "Location: x",
		"Content-Location: " + proxy + "/v2/y": "Content-Location: UPSTREAM/v2/y",
		"Content-Location: " + other:           "Content-Location: " + other,
		"Set-Cookie: a=b; Path=/v2; HttpOnly":  "Set-Cookie: a=b; Domain=example.com; Path=/v2; Secure; HttpOnly",
		`Link: <` + proxy + `/x>; rel="next", <http://o.example/>; rel="last", </y>`: `Link: <UPSTREAM/x>; rel="next", <http://o.example/>; rel="last", </y>`,
	} {
		a := get(t, p.URL(), "X-Want", header)
		name, value, _ := strings.Cut(want, ": ")
		if got := a.header.Get(name); got != value || a.status >= 400 {
			t.Errorf("%s: status %d, %q, want %q", header, a.status, got, value)
		}
	}
	if s := p.Stats(t.Context()); s.Errors != nil {
		t.Errorf("%+v", s.Errors)
	}
	for _, to := range []string{other, "//elsewhere.example/", strings.Replace(u.URL, "http:", "https:", 1), "http://127.0.0.1:1/", "%zz"} {
		a := get(t, p.URL(), "X-Want", "Location: "+to)
		if a.status != http.StatusBadGateway || a.header.Get("Location") != "" || !strings.Contains(a.text, "the upstream redirects to") || strings.Contains(a.text, "hush") {
			t.Errorf("redirect to %s: %+v", to, a)
		}
	}
	if s := p.Stats(t.Context()); errorsOf(s) != "http_3xx × 5" || strings.Contains(fmt.Sprint(s), "hush") {
		t.Errorf("%+v", s)
	}
	if a := get(t, p.URL(), "X-Want", "Location: "+other, "X-Created", "1"); a.status != http.StatusCreated || a.header.Get("Location") != other {
		t.Errorf("an address that is not a redirect: %+v", a)
	}
}

// An https target is verified and spoken to over HTTP/1.1.
func TestTLS(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the system's certificates cannot be set")
	}
	u := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://"+r.Host+"/next")
		w.WriteHeader(http.StatusFound)
		fmt.Fprint(w, r.Proto)
	}))
	u.EnableHTTP2, u.Config.ErrorLog = true, log.New(io.Discard, "", 0)
	u.StartTLS()
	defer u.Close()
	p := serve(t, upstreamproxy.Config{Target: u.URL})
	if a := get(t, p.URL()); a.text != "HTTP/1.1" || a.header.Get("Location") != p.URL()+"/next" {
		t.Errorf("%+v", a)
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(u.URL, "https://"))
	p = serve(t, upstreamproxy.Config{Target: "https://localhost:" + port}) // a name that the certificate does not have
	if a, s := get(t, p.URL()), p.Stats(t.Context()); a.status != http.StatusBadGateway || errorsOf(s) != "tls × 1" {
		t.Errorf("%+v, %+v", a, s)
	}
}

// What cannot be connected to, or must not be, is an answer with the reason and an error
// of its type.
func TestUnreachable(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	for target, want := range map[string]string{gone.URL: "refused × 1", "http://me:hush@203.0.113.5": "not_allowed × 1"} {
		p := serve(t, upstreamproxy.Config{Target: target})
		a, s := get(t, p.URL()), p.Stats(t.Context())
		if a.status != http.StatusBadGateway || !strings.Contains(a.text, "unreachable") || errorsOf(s) != want || strings.Contains(a.text+fmt.Sprint(s), "hush") {
			t.Errorf("%s: %+v, %+v; want %s", target, a, s, want)
		}
	}
}

// A client that leaves is not an error of the upstream.
func TestAbandoned(t *testing.T) {
	arrived := make(chan struct{})
	u := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	p := serve(t, upstreamproxy.Config{Target: u.URL})
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-arrived; leave() }()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r); err == nil {
		response.Body.Close()
		t.Error("an answer to a client that left")
	}
	if s := p.Stats(t.Context()); s.Requests != 1 || s.Abandoned != 1 || s.Errors != nil {
		t.Errorf("%+v", s)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []upstreamproxy.Config{
		{Target: "ftp://127.0.0.1", Bounds: upstreamproxy.Bounds{Rate: 1, Requests: 1}},
		{Target: "http://127.0.0.1", Bounds: upstreamproxy.Bounds{Requests: 1}},
		{Target: "http://127.0.0.1", Bounds: upstreamproxy.Bounds{Rate: 1, Requests: -1}, Policy: target.Policy{Allowed: []string{"x"}}},
	} {
		if p, err := upstreamproxy.Serve(t.Context(), c); err == nil {
			p.Close()
			t.Errorf("%+v is served", c)
		}
	}
}
