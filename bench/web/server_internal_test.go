package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"floodgate/bench/experiment"
	"floodgate/bench/load"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/results/report/html"
	"floodgate/scenarios"
	"floodgate/scenarios/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t testing.TB) *Server {
	t.Helper()
	s, err := Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Only loopback addresses are served.
func TestServeOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:0", "example.org:0"} {
		if s, err := Serve(t.Context(), addr); err == nil {
			s.Close()
			t.Errorf("%s is served", addr)
		}
	}
}

// Without the token, and to pages of other origins, there is nothing to see; nothing can be
// written.
func TestNobodyGetsIn(t *testing.T) {
	s := serve(t)
	s.Progress("the-id", scenario("a secret title"))
	at := "/" + s.token + "/"
	_, port, _ := net.SplitHostPort(s.hosts[0])
	for name, test := range map[string]struct {
		method, path, host string
		headers            map[string]string
		want               int
	}{
		"page":                     {path: at, want: 200},
		"localhost":                {path: at, host: "localhost:" + port, want: 200},
		"address bar":              {path: at, headers: map[string]string{"Sec-Fetch-Site": "none"}, want: 200},
		"our own page":             {path: at, headers: map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://" + s.hosts[0]}, want: 200},
		"head":                     {method: "HEAD", path: at, want: 200},
		"without the slash":        {path: strings.TrimSuffix(at, "/"), want: 308},
		"no token":                 {path: "/", want: 404},
		"no token, events":         {path: "/events", want: 404},
		"wrong token":              {path: "/" + strings.Repeat("A", len(s.token)) + "/", want: 404},
		"part of the token":        {path: "/" + s.token[:len(s.token)-1] + "/", want: 404},
		"lower case":               {path: strings.ToLower(at), want: 404},
		"token in the query":       {path: "/?token=" + s.token, want: 404},
		"token twice":              {path: "/" + s.token + at, want: 404},
		"no such file":             {path: at + "favicon.ico", want: 404},
		"another host":             {path: at, host: "attacker.example:" + port, want: 403},
		"another port":             {path: at, host: "127.0.0.1:1", want: 403},
		"no host":                  {path: at, host: " ", want: 403},
		"another origin":           {path: at, headers: map[string]string{"Origin": "http://attacker.example"}, want: 403},
		"opaque origin":            {path: at, headers: map[string]string{"Origin": "null"}, want: 403},
		"https of our own address": {path: at, headers: map[string]string{"Origin": "https://" + s.hosts[0]}, want: 403},
		"a page of another site":   {path: at, headers: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 403},
		"another port's page":      {path: at + "events", headers: map[string]string{"Sec-Fetch-Site": "same-site"}, want: 403},
		"post":                     {method: "POST", path: at, want: 405},
		"put":                      {method: "PUT", path: at + "events", want: 405},
		"delete":                   {method: "DELETE", path: at, want: 405},
		"options":                  {method: "OPTIONS", path: at, want: 405},
		"post without the token":   {method: "POST", path: "/", want: 404},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, test.path, nil)
			if r.Host = s.hosts[0]; test.host != "" {
				r.Host = strings.TrimSpace(test.host)
			}
			for k, v := range test.headers {
				r.Header.Set(k, v)
			}
			w := deadlines{httptest.NewRecorder()}
			s.ServeHTTP(w, r)
			if w.Code != test.want {
				t.Errorf("status %d, want %d", w.Code, test.want)
			}
			if test.want != 200 && w.Body.Len() > 0 {
				t.Errorf("status %d has a body: %s", w.Code, w.Body)
			}
			h := w.Header()
			for name, want := range map[string]string{
				"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
			} {
				if h.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, h.Get(name), want)
				}
			}
			if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("policy %q", csp)
			}
			if h.Get("Access-Control-Allow-Origin") != "" {
				t.Error("other origins may read")
			}
		})
	}
}

// deadlines is a recorder that accepts deadlines.
type deadlines struct{ *httptest.ResponseRecorder }

func (deadlines) SetWriteDeadline(time.Time) error { return nil }

// The nonce of the policy is that of the page, and another one each time. The report may
// have styles but no script.
func TestPolicies(t *testing.T) {
	s := serve(t)
	get := func() (policy, page string) {
		r := httptest.NewRequest("GET", "/"+s.token+"/", nil)
		r.Host = s.hosts[0]
		w := deadlines{httptest.NewRecorder()}
		s.ServeHTTP(w, r)
		return w.Header().Get("Content-Security-Policy"), w.Body.String()
	}
	first, page := get()
	_, nonce, _ := strings.Cut(first, "script-src 'nonce-")
	nonce = strings.TrimSuffix(nonce, "'")
	if len(nonce) < 16 || !strings.Contains(page, `<script nonce="`+nonce+`">`) {
		t.Errorf("policy %q, nonce %q", first, nonce)
	}
	if second, _ := get(); second == first {
		t.Error("the nonce is used twice")
	}
	s.Finish(t.Context(), []byte("the report"))
	if policy, page := get(); page != "the report" || strings.Contains(policy, "script-src") || strings.Contains(policy, "connect-src") {
		t.Errorf("page %q, policy %q", page, policy)
	}
}

func scenario(title string) *scenarios.Scenario {
	return &scenarios.Scenario{
		Name: "mine", Title: title, Service: &scenarios.Service{ReportItems: 10},
		Variants: []scenarios.Variant{{Name: "original"}, {Name: "shared"}},
	}
}

func trial(s *scenarios.Scenario, index int) experiment.ScheduledTrial {
	return experiment.ScheduledTrial{Index: index, Variant: s.Variants[0], Level: scenarios.Level{Name: "rate=3", Scenario: s}}
}

func moment(t experiment.ScheduledTrial, began time.Time, n int) experiment.Live {
	return experiment.Live{
		Trial: t, Began: began, Duration: time.Minute, Counts: load.Counts{Due: n, Ended: n, OK: n}, DueRate: 100, DoneRate: float64(n % 100), P50: 1e7, P99: 5e7,
		Tick:  sut.Tick{At: time.Duration(n) * 100 * time.Millisecond, Ledger: service.Ledger{ReportsInFlight: n % 10}},
		Usage: experiment.Usage{Descriptors: 20 + n%100, NoFile: 256, Kinds: &results.Kinds{Upstream: 5, Mongo: 3, Other: 12}},
	}
}

// event reads an event of a stream.
func next(t testing.TB, in *bufio.Reader) (name, data string) {
	t.Helper()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		switch line = strings.TrimSuffix(line, "\n"); {
		case line == "":
			return name, data
		case strings.HasPrefix(line, "event: "):
			name = strings.TrimPrefix(line, "event: ")
		default:
			data += strings.TrimPrefix(line, "data: ") + "\n"
		}
	}
}

func client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
}

func open(t testing.TB, url string) *http.Response {
	t.Helper()
	r, err := client().Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Body.Close() })
	return r
}

// A stream sends pictures of the run; then the page is the report.
func TestStream(t *testing.T) {
	s := serve(t)
	s.every = time.Millisecond
	of := scenario("A title")
	p := s.Progress("the-id", of)
	r := open(t, s.URL()+"events")
	in := bufio.NewReader(r.Body)
	if name, data := next(t, in); name != "state" || !strings.Contains(data, "The run has not begun.") || !strings.Contains(data, "mine: A title") {
		t.Errorf("%s: %s", name, data)
	}
	began := time.Now()
	p.Started(6, 0, time.Minute)
	p.TrialStarted(trial(of, 0), time.Minute)
	for n := range 20 {
		p.Live(moment(trial(of, 0), began, n))
	}
	p.Note("a server was restarted")
	for want := []string{"0 of 6 trials done", "original, block 1, rate=3", "Descriptors</figcaption>", "a server was restarted", "upstream"}; len(want) > 0; {
		name, data := next(t, in)
		if name != "state" {
			t.Fatalf("event %s", name)
		}
		left := want[:0:0]
		for _, w := range want {
			if !strings.Contains(data, w) {
				left = append(left, w)
			}
		}
		want = left
	}
	p.TrialEnded(results.Trial{Variant: "original", LevelName: "rate=3", Outcome: results.OutcomeOK, Service: &results.Service{Response: results.Histogram{P99: 5e7}}, Descriptors: results.Descriptors{Peak: 99}}, 0)
	for {
		if name, data := next(t, in); name != "state" {
			t.Fatalf("event %s", name)
		} else if strings.Contains(data, "original, trial 1, rate=3: 99") {
			break
		}
	}
	finished := make(chan struct{})
	go func() { s.Finish(context.Background(), []byte("<p>the report")); close(finished) }()
	for {
		if name, _ := next(t, in); name == "report" {
			break
		}
	}
	select {
	case <-finished:
		t.Error("the server did not wait for the page")
	default:
	}
	if text, err := io.ReadAll(open(t, s.URL()).Body); string(text) != "<p>the report" {
		t.Errorf("the page is %q, %v", text, err)
	}
	<-finished
}

// A run that ends without a report says so, and one without pages ends at once.
func TestOver(t *testing.T) {
	s := serve(t)
	s.Finish(context.Background(), []byte("unread")) // it returns
	s = serve(t)
	in := bufio.NewReader(open(t, s.URL()+"events").Body)
	next(t, in)
	go s.Close()
	for {
		if name, _ := next(t, in); name == "over" {
			return
		}
	}
}

// Pages beyond the bound are turned away, and make room when they close.
func TestStreamsAreBounded(t *testing.T) {
	s := serve(t)
	var all []*http.Response
	for range maxStreams {
		r := open(t, s.URL()+"events")
		next(t, bufio.NewReader(r.Body))
		all = append(all, r)
	}
	for range 100 {
		if r := open(t, s.URL()+"events"); r.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("status %d, want 503", r.StatusCode)
		}
	}
	all[0].Body.Close()
	for { // until the server has seen that the page is closed
		if r := open(t, s.URL()+"events"); r.StatusCode == http.StatusOK {
			return
		}
	}
}

// Readers that never read do not keep the run from telling its progress, and a trial of any
// length takes bounded room.
func TestSlowReaders(t *testing.T) {
	s := serve(t)
	s.every = time.Microsecond
	of := scenario("A title")
	p := s.Progress("the-id", of)
	for range 100 {
		conn, err := net.Dial("tcp", s.hosts[0])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /%s/events HTTP/1.1\r\nHost: %s\r\n\r\n", s.token, s.hosts[0])
	}
	const moments = 20_000
	began := time.Now()
	p.Started(1, 0, time.Hour)
	p.TrialStarted(trial(of, 0), time.Hour)
	for n := range moments {
		p.Live(moment(trial(of, 0), began, n))
		p.Note("note")
	}
	live := s.state.now()
	if n := len(live.Samples); n > maxSamples || n < maxSamples/2 || live.Samples[0].At != 0 || live.Samples[n-1].At < moments*99*time.Millisecond {
		t.Errorf("%d samples", n)
	}
	for i := 1; i < len(live.Samples); i++ {
		if live.Samples[i].At <= live.Samples[i-1].At {
			t.Fatalf("sample %d is not later than the one before", i)
		}
	}
	for n := range 1000 {
		p.TrialEnded(results.Trial{Index: n, Variant: "shared", Outcome: results.OutcomeOK}, 0)
	}
	if live := s.state.now(); len(live.Trials) != maxTrials || live.Trials[maxTrials-1].Number != 1000 || len(live.Notes) != maxNotes {
		t.Errorf("%d trials, %d notes", len(live.Trials), len(live.Notes))
	}
}

// A snapshot does not change when the run goes on; late states of an earlier trial or
// attempt are ignored.
func TestSnapshots(t *testing.T) {
	s := serve(t)
	of := scenario("A title")
	p := s.Progress("the-id", of)
	began := time.Now()
	p.Started(2, 0, 0)
	p.TrialStarted(trial(of, 0), 0)
	for n := range maxSamples {
		p.Live(moment(trial(of, 0), began, n))
	}
	before := s.state.now()
	copied := append([]html.LiveSample(nil), before.Samples...)
	for n := range 5000 {
		p.Live(moment(trial(of, 0), began, maxSamples+n))
	}
	for i := range copied {
		if copied[i].At != before.Samples[i].At {
			t.Fatalf("sample %d of the snapshot has changed", i)
		}
	}
	again := began.Add(time.Second)
	p.Live(moment(trial(of, 0), again, 0))
	p.Live(moment(trial(of, 0), began, 7000)) // of the attempt before
	p.Live(moment(trial(of, 1), again, 7000)) // of another trial
	if live := s.state.now(); len(live.Samples) != 1 || live.Samples[0].At != 0 {
		t.Errorf("%d samples of the second attempt", len(live.Samples))
	}
}

// A page that is open but does not fetch the report delays the end for ten seconds at most,
// and not after an interruption.
func TestLingering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, interrupted := range []bool{false, true} {
			l := &memory{conns: make(chan net.Conn), closed: make(chan struct{})}
			s := newServer(l)
			page, conn := net.Pipe()
			l.conns <- conn
			go fmt.Fprintf(page, "GET /%s/events HTTP/1.1\r\nHost: %s\r\n\r\n", s.token, s.hosts[0])
			in := bufio.NewReader(page)
			if _, err := http.ReadResponse(in, nil); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.Copy(io.Discard, in) }()
			synctest.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			if interrupted {
				cancel()
			}
			began := time.Now()
			s.Finish(ctx, []byte("the report"))
			if took := time.Since(began); took > lingering || !interrupted && took < lingering || interrupted && took > 0 {
				t.Errorf("interrupted %v: it waited for %v", interrupted, took)
			}
			cancel()
			page.Close()
			s.Close()
		}
	})
}

// memory is a listener without a network.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	select {
	case <-m.closed:
	default:
		close(m.closed)
	}
	return nil
}

func (m *memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// BenchmarkProgress measures what a run pays for each state of a service, ten a second,
// with and without pages that follow it.
func BenchmarkProgress(b *testing.B) {
	for _, pages := range []int{0, maxStreams} {
		b.Run(fmt.Sprintf("pages=%d", pages), func(b *testing.B) {
			s := serve(b)
			of := scenario("A title")
			p := s.Progress("the-id", of)
			p.Started(1, 0, time.Hour)
			p.TrialStarted(trial(of, 0), time.Hour)
			for range pages {
				r := open(b, s.URL()+"events")
				go func() { _, _ = io.Copy(io.Discard, r.Body) }()
			}
			began, n := time.Now(), 0
			b.ReportAllocs()
			for b.Loop() {
				p.Live(moment(trial(of, 0), began, n))
				n++
			}
		})
	}
}
