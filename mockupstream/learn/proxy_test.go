package learn_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"floodgate/mockupstream/learn"
)

// secret stands for everything that a recording must not contain.
const secret = "s3cr3t-value"

// proxied starts a proxy in front of the upstream and returns its URL. recording stops
// the proxy after the last answer and returns its recording: a client may have the last
// byte of an answer before the exchange is recorded.
func proxied(t *testing.T, upstream *httptest.Server, change func(*learn.ProxyOptions)) (recording func() learn.Recording, address string) {
	t.Helper()
	target, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	o := learn.ProxyOptions{Target: target}
	if change != nil {
		change(&o)
	}
	p := learn.NewProxy(o)
	server := httptest.NewServer(p)
	t.Cleanup(func() { server.Close(); p.Close(); upstream.Close() })
	return func() learn.Recording {
		server.Close()
		return p.Recording()
	}, server.URL
}

// exchange sends a request, without following redirects.
func exchange(t *testing.T, r *http.Request) (*http.Response, string, error) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response, string(text), err
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The upstream receives the client's request with its own host, and the client receives
// the answer; the recording contains only numbers.
func TestProxyForwards(t *testing.T) {
	seen := make(chan *http.Request, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- r
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "of this connection")
		w.Header().Set("X-End", "of the upstream")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "got %s", body)
	}))
	recorded, proxy := proxied(t, upstream, func(o *learn.ProxyOptions) {
		o.Target.Path, o.Target.User = "/base", url.UserPassword("user", secret)
	})
	r := request(t, http.MethodPost, proxy+"/v1/things?token="+secret+"&odd=%zz;", strings.NewReader(secret))
	r.Header.Set("Connection", "X-Mine")
	r.Header.Set("X-Mine", "of this connection")
	r.Header.Set("X-Key", secret)
	response, text, err := exchange(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusCreated || text != "got "+secret || response.Header.Get("X-End") == "" || response.Header.Get("X-Hop") != "" {
		t.Errorf("the client got %d, %q, %v", response.StatusCode, text, response.Header)
	}
	got := <-seen
	if user, password, _ := got.BasicAuth(); user != "user" || password != secret {
		t.Errorf("the upstream got the credentials %q, %q", user, password)
	}
	want := "/base/v1/things?token=" + secret + "&odd=%zz;"
	if got.Host != strings.TrimPrefix(upstream.URL, "http://") || got.RequestURI != want || got.Header.Get("X-Mine") != "" || got.Header.Get("X-Key") != secret {
		t.Errorf("the upstream got %s for %s, %v", got.RequestURI, got.Host, got.Header)
	}
	recording := recorded()
	if text := fmt.Sprintf("%+v", recording); strings.Contains(text, secret) {
		t.Errorf("the recording is %s", text)
	}
	e := recording.Exchanges[0]
	if len(recording.Exchanges) != 1 || e.Status != http.StatusCreated || e.Bytes != int64(len(text)) || e.Start > e.First || e.First > e.End {
		t.Errorf("recorded %+v", recording)
	}
}

// The client decides whether to follow a redirect; the proxy never follows one.
func TestProxyPassesRedirects(t *testing.T) {
	const elsewhere = "http://elsewhere.example/next"
	upstream := httptest.NewServer(http.RedirectHandler(elsewhere, http.StatusFound))
	recorded, proxy := proxied(t, upstream, nil)
	response, _, err := exchange(t, request(t, http.MethodGet, proxy+"/", nil))
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusFound || response.Header.Get("Location") != elsewhere {
		t.Errorf("got %d to %s", response.StatusCode, response.Header.Get("Location"))
	}
	if r := recorded(); len(r.Exchanges) != 1 || r.Exchanges[0].Status != http.StatusFound {
		t.Errorf("recorded %+v", r)
	}
}

// The first bytes of a body reach the client before the upstream sends the rest.
func TestProxyStreams(t *testing.T) {
	read := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-read
		fmt.Fprint(w, " second")
	}))
	recorded, proxy := proxied(t, upstream, nil)
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request(t, http.MethodGet, proxy+"/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	begin := make([]byte, len("first"))
	if _, err := io.ReadFull(response.Body, begin); err != nil || string(begin) != "first" {
		t.Fatalf("got %q, %v", begin, err)
	}
	close(read)
	if rest, err := io.ReadAll(response.Body); err != nil || string(rest) != " second" {
		t.Errorf("got %q, %v", rest, err)
	}
	if e := recorded().Exchanges[0]; e.Bytes != int64(len("first second")) || e.Failure != "" {
		t.Errorf("recorded %+v", e)
	}
}

// An upstream over TLS may speak HTTP/2.
func TestProxyHTTP2(t *testing.T) {
	protocol := make(chan string, 1)
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { protocol <- r.Proto }))
	upstream.EnableHTTP2 = true
	upstream.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(upstream.Certificate())
	recorded, proxy := proxied(t, upstream, func(o *learn.ProxyOptions) { o.TLS = &tls.Config{RootCAs: roots} })
	response, _, err := exchange(t, request(t, http.MethodGet, proxy+"/", nil))
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", response, err)
	}
	if got := <-protocol; got != "HTTP/2.0" {
		t.Errorf("the upstream got a request of %s", got)
	}
	if r := recorded(); len(r.Exchanges) != 1 || r.Exchanges[0].Status != http.StatusOK {
		t.Errorf("recorded %+v", r)
	}
}

// Each kind of failure of an upstream is recorded, and the client learns only the kind.
func TestProxyFailures(t *testing.T) {
	drop := func(linger bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			if tcp, ok := conn.(*net.TCPConn); ok && !linger {
				_ = tcp.SetLinger(0) // closing then sends RST
			}
			_ = conn.Close()
		}
	}
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    learn.Failure
		status  int
	}{
		{"reset", drop(false), learn.Reset, http.StatusBadGateway},
		{"closed", drop(true), learn.Closed, http.StatusBadGateway},
		{"truncated", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, "not all of it")
		}, learn.Truncated, http.StatusOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			recorded, proxy := proxied(t, httptest.NewServer(test.handler), nil)
			response, text, err := exchange(t, request(t, http.MethodGet, proxy+"/?token="+secret, nil))
			if test.want == learn.Truncated {
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("the client got %v", err)
				}
			} else if err != nil || response.StatusCode != test.status || strings.Contains(text, secret) || !strings.Contains(text, string(test.want)) {
				t.Errorf("the client got %v, %q, %v", response, text, err)
			}
			if r := recorded(); len(r.Exchanges) != 1 || r.Exchanges[0].Failure != test.want {
				t.Errorf("recorded %+v, want a failure: %s", r, test.want)
			}
		})
	}
	t.Run("timed out", func(t *testing.T) {
		upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		recorded, proxy := proxied(t, upstream, func(o *learn.ProxyOptions) { o.Timeout = time.Millisecond })
		response, text, err := exchange(t, request(t, http.MethodGet, proxy+"/?token="+secret, nil))
		if err != nil || response.StatusCode != http.StatusGatewayTimeout || strings.Contains(text, secret) {
			t.Errorf("the client got %v, %q, %v", response, text, err)
		}
		if r := recorded(); len(r.Exchanges) != 1 || r.Exchanges[0].Failure != learn.TimedOut {
			t.Errorf("recorded %+v", r)
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		upstream := httptest.NewServer(nil)
		var reasons []error
		recorded, proxy := proxied(t, upstream, func(o *learn.ProxyOptions) { o.Unreachable = func(err error) { reasons = append(reasons, err) } })
		upstream.Close()
		response, text, err := exchange(t, request(t, http.MethodGet, proxy+"/?token="+secret, nil))
		if err != nil || response.StatusCode != http.StatusBadGateway || !strings.Contains(text, "unreachable") {
			t.Errorf("the client got %v, %q, %v", response, text, err)
		}
		if r := recorded(); len(r.Exchanges) != 1 || r.Exchanges[0].Failure != learn.Unreachable {
			t.Errorf("recorded %+v", r)
		}
		if len(reasons) != 1 || strings.Contains(reasons[0].Error(), secret) {
			t.Errorf("the reasons are %v", reasons)
		}
	})
}

// A client that leaves does not count as a failure of the upstream, which notices that
// the client left.
func TestProxyAbandoned(t *testing.T) {
	arrived, left := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(left)
	}))
	target, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := learn.NewProxy(learn.ProxyOptions{Target: target})
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		p.ServeHTTP(w, r)
	}))
	defer func() { server.Close(); p.Close(); upstream.Close() }()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: proxy\r\n\r\n")
	<-arrived
	conn.Close()
	<-left
	<-done
	if r := p.Recording(); len(r.Exchanges) != 1 || r.Exchanges[0].Failure != learn.Abandoned {
		t.Errorf("recorded %+v", r)
	}
}
