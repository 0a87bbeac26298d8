package calllog_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"floodgate/mockupstream"
	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
	"floodgate/scenarios/pipeline/dialcount"
)

// fetcher returns a fetcher from a server of handler, closed at the end of the test.
func fetcher(t *testing.T, o calllog.HTTPOptions, handler http.HandlerFunc) *calllog.HTTPFetcher {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	o.BaseURL = server.URL
	f, err := calllog.NewHTTPFetcher(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// answer serves the requested item with two records.
func answer(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintf(w, `{"key":%q,"records":[{"id":"1","seconds":7},{"id":"2"}]}`, strings.TrimPrefix(r.URL.Path, "/items/"))
}

func TestItemsReachTheUpstreamAsTheyAre(t *testing.T) {
	f := fetcher(t, calllog.HTTPOptions{}, answer)
	for _, item := range []calllog.Item{
		calllog.NewItem("+15550001"), calllog.NewItem("2017-01-01", "2017-01-07"), calllog.NewItem("a b?c#d%e&é;"),
		calllog.NewItem("..", "."), calllog.NewItem("a", ""), calllog.NewItem("%2F"),
	} {
		docs, err := f.Fetch(t.Context(), item)
		if err != nil || len(docs) != 1 || docs[0].ID != string(item) || len(docs[0].Records) != 2 || docs[0].Records[0].Seconds != 7 {
			t.Errorf("%q: %+v, %v", item, docs, err)
		}
	}
}

func TestADocumentARecord(t *testing.T) {
	f := fetcher(t, calllog.HTTPOptions{PerRecord: true}, answer)
	docs, err := f.Fetch(t.Context(), calllog.NewItem("a", "b"))
	if err != nil || len(docs) != 2 || docs[1].ID != "a/b#1" || docs[1].Item != "a/b" || docs[1].Seq != 1 || docs[1].Records[0].ID != "2" {
		t.Errorf("%+v, %v", docs, err)
	}
}

// hijack answers with raw bytes and closes the connection.
func hijack(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, raw)
		_ = conn.Close()
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", code) }
}

func TestFetchErrors(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	const whole = `{"key":"a","records":[{"id":"1"}]}`
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"status 404", status(404), "http_4xx"},
		{"status 429", status(429), "http_429"},
		{"status 503", status(503), "http_5xx"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "http_3xx"},
		{"no content", status(204), "http_2xx"},
		{"another key", body(`{"key":"b","records":[]}`), "http_mismatch"},
		{"not JSON", body("<html>"), "http_decode"},
		{"two answers", body(whole + whole), "http_decode"},
		{"no records", body(`{"key":"a"}`), "http_decode"},
		{"cut short of its length", hijack(head + "Content-Length: 100\r\n\r\n" + whole), "http_truncated"},
		{"cut short in a chunk", hijack(head + "Transfer-Encoding: chunked\r\n\r\nff\r\n" + whole), "http_truncated"},
		{"cut short between chunks", hijack(head + "Transfer-Encoding: chunked\r\n\r\n22\r\n" + whole + "\r\n"), "http_truncated"},
		{"cut short without a length", hijack(head + "Connection: close\r\n\r\n" + whole[:20]), "http_decode"},
		{"no answer", hijack(""), "reset"},
		{"too large", hijack(head + "Content-Length: 99999999999\r\n\r\n"), "http_too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			docs, err := fetcher(t, calllog.HTTPOptions{}, c.handler).Fetch(t.Context(), "a")
			if got := pipeline.ErrorType(err); got != c.want || docs != nil || !strings.Contains(fmt.Sprint(err), "get a: ") {
				t.Errorf("%d documents, error %v of type %s, want %s", len(docs), err, got, c.want)
			}
		})
	}
}

func TestABodyWithoutLengthIsBounded(t *testing.T) {
	f := fetcher(t, calllog.HTTPOptions{}, func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 1<<20)
		for range calllog.MaxBody>>20 + 1 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if _, err := f.Fetch(t.Context(), "a"); pipeline.ErrorType(err) != "http_too_large" {
		t.Errorf("error %v", err)
	}
}

func TestConnectionErrors(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + listener.Addr().String()
	_ = listener.Close()
	f, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{BaseURL: nobody})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Fetch(t.Context(), "a"); pipeline.ErrorType(err) != "refused" {
		t.Errorf("nobody listens: %v", err)
	}
	release := make(chan struct{})
	defer close(release)
	hung := fetcher(t, calllog.HTTPOptions{Timeout: 20 * time.Millisecond}, func(http.ResponseWriter, *http.Request) { <-release })
	if _, err := hung.Fetch(t.Context(), "a"); pipeline.ErrorType(err) != "timeout" {
		t.Errorf("no answer in time: %v", err)
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	f := fetcher(t, calllog.HTTPOptions{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(429)
	})
	_, err := f.Fetch(t.Context(), "a")
	var s *calllog.StatusError
	if !errors.As(err, &s) || s.RetryAfter != "7" || s.Code != 429 {
		t.Errorf("error %v", err)
	}
}

// run fetches 400 items with 20 workers and returns the counts of the dialer.
func run(t *testing.T, o calllog.HTTPOptions, handler http.HandlerFunc) dialcount.Counts {
	t.Helper()
	o.Dialer = new(dialcount.Counter)
	f := fetcher(t, o, handler)
	p := pipeline.Pipeline[calllog.Item, calllog.Document]{
		Fetcher:  f,
		Writer:   pipeline.WriterFunc[calllog.Document](func(context.Context, []calllog.Document) error { return nil }),
		Strategy: pipeline.Bounded(20),
	}
	var items []calllog.Item
	for i := range 400 {
		items = append(items, calllog.NewItem(fmt.Sprint(i)))
	}
	if _, err := p.Run(t.Context(), items); err != nil {
		t.Fatal(errors.Unwrap(err), pipeline.ErrorType(err))
	}
	f.Close()
	counts := o.Dialer.Counts()
	if counts.Failed > 0 {
		t.Errorf("%d dials failed", counts.Failed)
	}
	return counts
}

func TestConnections(t *testing.T) {
	for _, c := range []struct {
		name          string
		options       calllog.HTTPOptions
		peak          int // at most
		dials, dialed int // at least, at most
	}{
		// The transport does not keep a connection whose request it wrote too slowly, on a
		// busy machine, and dials again.
		{"bounded, kept", calllog.HTTPOptions{MaxConnsPerHost: 20, MaxIdleConnsPerHost: 20}, 20, 1, 40},
		{"bounded below the workers", calllog.HTTPOptions{MaxConnsPerHost: 5, MaxIdleConnsPerHost: 5}, 5, 1, 10},
		// The transport may start a dial that it does not need in the end, the more often the
		// busier the machine is.
		{"unlimited, kept", calllog.HTTPOptions{}, 399, 1, 399},
		{"fresh", calllog.HTTPOptions{FreshConnections: true}, 400, 400, 420},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, c.options, answer)
			if got.Peak > c.peak || got.Dials < c.dials || got.Dials > c.dialed {
				t.Errorf("%+v: want a peak to %d, and %d to %d dials", got, c.peak, c.dials, c.dialed)
			}
		})
	}
}

// slowlyClosed is a connection whose Close takes until it is released.
type slowlyClosed struct {
	net.Conn
	closing, release chan struct{}
}

func (c slowlyClosed) Close() error {
	close(c.closing)
	<-c.release
	return c.Conn.Close()
}

// answerOnce answers one request and asks the client to close the connection.
func answerOnce(c net.Conn) {
	if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 14\r\n\r\n{\"records\":[]}")
	}
	c.Close()
}

// The connection that is closing counts, so that a bound holds at any moment.
func TestAClosingConnectionCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		closing, release := make(chan struct{}), make(chan struct{})
		counter := &dialcount.Counter{Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go answerOnce(server)
			if dials.Add(1) == 1 {
				return slowlyClosed{client, closing, release}, nil
			}
			return client, nil
		}}
		f, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{BaseURL: "http://127.0.0.1:1", MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1, Dialer: counter})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var fetches sync.WaitGroup
		for _, item := range []calllog.Item{"first", "second"} {
			fetches.Go(func() {
				if _, err := f.Fetch(t.Context(), item); err != nil {
					t.Error(err)
				}
			})
		}
		<-closing
		synctest.Wait() // the other fetch has begun its dial, if it may
		if n := dials.Load(); n != 1 {
			t.Errorf("%d dials while the only connection is closing", n)
		}
		close(release)
		fetches.Wait()
		if n := counter.Counts(); n.Peak != 1 || n.Dials != 2 {
			t.Errorf("%+v: want a peak of 1 and 2 dials", n)
		}
	})
}

// A dial for which no request waits any more ends with the fetcher, so that its
// connection does not add to those of the next fetcher.
func TestCloseEndsDialsInProgress(t *testing.T) {
	arrived, dialing := make(chan struct{}), make(chan struct{})
	var dials atomic.Int32
	var once sync.Once
	counter := &dialcount.Counter{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials.Add(1) == 1 {
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		once.Do(func() { close(dialing) })
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	f := fetcher(t, calllog.HTTPOptions{MaxConnsPerHost: 2, MaxIdleConnsPerHost: 2, Dialer: counter}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/items/first" {
			close(arrived)
			<-dialing // so that the second item waits for a connection of its own
		}
		answer(w, r)
	})
	var fetches sync.WaitGroup
	fetch := func(item calllog.Item) {
		if _, err := f.Fetch(t.Context(), item); err != nil {
			t.Error(err)
		}
	}
	fetches.Go(func() { fetch("first") })
	<-arrived
	fetches.Go(func() { fetch("second") }) // finally uses the first one's connection
	fetches.Wait()
	if n := counter.Counts(); n.Connecting != 1 {
		t.Fatalf("%d dials in progress, want the one that is not needed any more", n.Connecting)
	}
	f.Close()
	if n := counter.Counts(); n.Connecting != 0 || n.Failed != 1 {
		t.Errorf("after Close %d dials are in progress and %d have failed, want 0 and 1", n.Connecting, n.Failed)
	}
	if _, err := f.Fetch(t.Context(), "third"); !errors.Is(err, net.ErrClosed) || counter.Counts().Dials != 2 {
		t.Errorf("a closed fetcher dialed: %v, %d dials", err, counter.Counts().Dials)
	}
}

// A failed answer is read to its end, so that its connection is reused.
func TestConnectionsOutliveBadStatuses(t *testing.T) {
	counter := new(dialcount.Counter)
	f := fetcher(t, calllog.HTTPOptions{Dialer: counter}, status(500))
	for range 20 {
		_, _ = f.Fetch(t.Context(), "a")
	}
	if got := counter.Counts().Dials; got != 1 {
		t.Errorf("%d dials for 20 requests one after another", got)
	}
}

// Concurrent answers do not share a buffer: each item gets its own records.
func TestAnswersDoNotMix(t *testing.T) {
	profile := mockupstream.Profile{Body: mockupstream.Body{Min: 1, Max: 30}}
	const seed = 7
	upstream, err := mockupstream.New(profile, seed)
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	server, err := mockupstream.Serve(t.Context(), mockupstream.ServerOptions{}, upstream)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	f, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{BaseURL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			item := calllog.NewItem("2017-01-01", fmt.Sprintf("+%d", i))
			got, err := f.Fetch(t.Context(), item)
			want, _ := calllog.Decode(item, mockupstream.Answer(profile, seed, string(item)), false)
			if err != nil || len(got) != 1 || !slices.Equal(got[0].Records, want[0].Records) || len(got[0].Records) == 0 {
				t.Errorf("%s: %v, error %v", item, got, err)
			}
		})
	}
	wg.Wait()
}

func TestHooks(t *testing.T) {
	var before, arrived, served atomic.Int32
	f := fetcher(t, calllog.HTTPOptions{
		BeforeRequest: func() {
			if before.Add(1) != served.Load()+1 {
				t.Error("BeforeRequest after the request")
			}
		},
		BeforeBody: func() {
			if arrived.Add(1) != served.Load() {
				t.Error("BeforeBody before the answer")
			}
		},
	}, func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		answer(w, r)
	})
	for range 3 {
		if _, err := f.Fetch(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if before.Load() != 3 || arrived.Load() != 3 {
		t.Errorf("%d before, %d arrived", before.Load(), arrived.Load())
	}
}

func TestCredentialsAreSentAndNotShown(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "u" || password != "s3cret/:@" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	for _, test := range []struct{ userinfo, want string }{
		{"u:s3cret%2F%3A%40@", ""}, {"u:s3cret@", "http_4xx"}, {"", "http_4xx"},
	} {
		f, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{BaseURL: "http://" + test.userinfo + host})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Close)
		_, err = f.Fetch(t.Context(), "a")
		if got := pipeline.ErrorType(err); got != test.want || err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", test.userinfo, err, test.want)
		}
	}
}

func TestNoProxyOfTheEnvironmentIsUsed(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	t.Cleanup(proxy.Close)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	dialed := make(chan string, 1)
	dialer := &dialcount.Counter{Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		dialed <- address
		return nil, errors.New("far away")
	}}
	f, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{BaseURL: "http://upstream.test", Dialer: dialer}) // loopback is never proxied
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	if _, err := f.Fetch(t.Context(), "a"); err == nil {
		t.Error("no error")
	}
	if got := <-dialed; got != "upstream.test:80" {
		t.Errorf("dialed %s", got)
	}
}

func TestLimitDelaysFetchesAndItsErrorIsReturned(t *testing.T) {
	var limited, served atomic.Int32
	refuse := errors.New("not now")
	f := fetcher(t, calllog.HTTPOptions{
		Limit: func(context.Context) error {
			if limited.Add(1) > 1 {
				return refuse
			}
			return nil
		},
		BeforeRequest: func() {
			if limited.Load() != 1 {
				t.Error("BeforeRequest without Limit, or after it refused")
			}
		},
	}, func(w http.ResponseWriter, r *http.Request) { served.Add(1); answer(w, r) })
	if _, err := f.Fetch(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Fetch(t.Context(), "a"); !errors.Is(err, refuse) || served.Load() != 1 {
		t.Errorf("%v, %d served", err, served.Load())
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []calllog.HTTPOptions{
		{}, {BaseURL: "127.0.0.1:80"}, {BaseURL: "ftp://host"}, {BaseURL: "http://"}, {BaseURL: "http://host?x=1"},
		{BaseURL: "http://user:secret@host?x=1"}, {BaseURL: "http://secret@"}, {BaseURL: "http://user:secret@host:port"},
		{BaseURL: "http://host", MaxConnsPerHost: -1}, {BaseURL: "http://host", Timeout: -1},
	} {
		if _, err := calllog.NewHTTPFetcher(o); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	if _, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{BaseURL: "http://host/prefix/"}); err != nil {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"key":"a","records":[{"id":"1","at":"2017-03-04T05:06:07Z","from":"+1","to":"+2","seconds":3,"direction":"out","cell":"c"}]}`,
		`{"key":"a","records":[]}`, `{"key":"b","records":[]}`, `{"key":"a"}`, `{"key":"a","records":null}`, `[`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		one, err := calllog.Decode("a", body, false)
		each, eachErr := calllog.Decode("a", body, true)
		if (err == nil) != (eachErr == nil) {
			t.Fatalf("whole: %v, by record: %v", err, eachErr)
		}
		var bad *calllog.AnswerError
		if err != nil {
			if !errors.As(err, &bad) || one != nil || each != nil {
				t.Fatalf("%v with %d and %d documents", err, len(one), len(each))
			}
			return
		}
		if len(one) != 1 || one[0].ID != "a" || len(each) != len(one[0].Records) {
			t.Fatalf("%d documents of all records, %d of one", len(one), len(each))
		}
		for seq, d := range each {
			if d.Seq != seq || d.ID != fmt.Sprintf("a#%d", seq) || len(d.Records) != 1 || d.Records[0] != one[0].Records[seq] {
				t.Fatalf("document %d: %+v", seq, d)
			}
		}
	})
}

// A redirect is never followed. It is an error that names the target and the remedy.
func TestRedirectsAreNotFollowed(t *testing.T) {
	followed := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	t.Cleanup(other.Close)
	var location string
	f := fetcher(t, calllog.HTTPOptions{}, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") || strings.HasPrefix(r.URL.Path, "/v2/") {
			followed = true
		}
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(http.StatusPermanentRedirect)
		fmt.Fprint(w, "moved")
	})
	const refused = "and redirects are not followed; "
	for _, c := range []struct {
		name, location string
		want           []string
	}{
		{"a slash more", "/items/items/a/", []string{"status 308 Permanent Redirect: the upstream redirects to http://127.0.0.1:", "/items/items/a/, " + refused + "have the upstream answer the requested URL itself"}},
		{"another path", "/v2/items/items/a", []string{"/v2/items/items/a, " + refused + "use http://127.0.0.1:", "/v2 as the URL of the upstream"}},
		{"another host", other.URL + "/items/items/a", []string{"redirects to " + other.URL + "/items/items/a, " + refused + "use " + other.URL + " as the URL of the upstream"}},
		{"a login", "https://user:QZXWK@login.example/start?token=QZXWK#QZXWK", []string{"redirects to https://login.example/start?…, " + refused + "have the"}},
		{"nowhere", "", []string{"status 308 Permanent Redirect: moved"}},
		{"malformed", "http://[", []string{"status 308 Permanent Redirect: moved"}},
	} {
		location = c.location
		_, err := f.Fetch(t.Context(), calllog.NewItem("items", "a"))
		if pipeline.ErrorType(err) != "http_3xx" || strings.Contains(err.Error(), "QZXWK") {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q", c.name, err, want)
			}
		}
	}
	if followed {
		t.Error("a redirect was followed")
	}
}
