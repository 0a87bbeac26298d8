// Package load sends requests to a service in an open loop: each is sent when it is
// due, whatever happens to earlier ones. Vegeta drives the loop:
//
//	r := load.NewRecorder()
//	err := load.Attack(ctx, load.Options{
//		URL:      "http://127.0.0.1:8080/reports",
//		Arrivals: load.Arrivals{Rate: load.Constant(100), For: time.Minute},
//		Due:      …, Ended: …, // call r.Due and r.Ended with a lock
//	})
//	s, err := r.Summary()
//	fmt.Println(s.Due, s.OK, s.Response.P99) // 6000 6000 12.3ms
//
// Vegeta timestamps a request when a worker starts it. If the generator or the machine
// cannot keep up, that is later than the request was due, and the delay would be
// missing from every latency (coordinated omission). Therefore each request has three
// times here: when it was due (intended), when it was started, and when it ended.
// Response time counts from the first, service time from the second, and the lag is
// the difference. The number of workers is not limited.
package load

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Options of an attack.
type Options struct {
	// URL receives POST requests with their number as the parameter "report".
	URL string
	// URLs take turns in place of URL: request k goes to that of index k mod their number.
	// Nil means that URL applies.
	URLs []string
	// Body returns the body of request n, counted from 0; nil means none. Several
	// goroutines call it at once.
	Body func(n uint64) []byte
	// Request returns the request of a number, from 0, in place of URL and Body; nil
	// means that these apply. Called by many goroutines.
	Request func(n uint64) Request
	// Success reports whether an answer with the status counts as done; nil means
	// 200 to 299.
	Success func(status int) bool
	// MaxConns bounds the connections; zero means unbounded. A request that waits for
	// a connection has begun, so that its service time includes the wait.
	MaxConns int
	// Fresh opens a connection for each request instead of keeping them.
	Fresh bool
	// TLS of https URLs; nil means the system's certificate authorities. HTTP/2 is
	// used where the server offers it.
	TLS *tls.Config
	// Arrivals determines when requests are due.
	Arrivals Arrivals
	// Start is the instant from which the arrivals count; zero means that of the first
	// request. If it has passed, the first requests are late.
	Start time.Time
	// Timeout of one request. Default 30s.
	Timeout time.Duration
	// Dial opens connections; nil means net.Dialer.DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Due is called when a request is due, and Ended when it has ended. Neither is
	// called concurrently with itself, and neither may block. Nil means that nothing
	// is called.
	Due   func(Due)
	Ended func(Ended)
	// Traceparent returns the header of that name of a request, by its number, and has Ended
	// tell the times of its connection and its first byte; nil means that requests have none.
	// Called by many goroutines.
	Traceparent func(n uint64) string
	// Name of the attack in vegeta's results.
	Name string
	// Keep receives vegeta's own results; nil means that nothing is called.
	Keep func(*vegeta.Result)

	// clock delays requests until they are due; nil means package precise's.
	clock sleeper
	grace time.Duration // zero means defaultGrace
}

// Request is one request of an attack.
type Request struct {
	Method, URL string
	// Header is not changed; nil means none.
	Header http.Header
	Body   []byte
}

// Due is a request that is due now.
type Due struct {
	// Seq is its number in the schedule, from 0.
	Seq uint64
	// Intended is when it is due, counted from the start of the attack.
	Intended time.Duration
}

// Ended is a request that has ended. Times count from the start of the attack.
type Ended struct {
	// Report is the number for which its Body or Request was made.
	Report uint64
	// Intended is when it was due, Begun when it was started, and At when it ended.
	Intended, Begun, At time.Duration
	// Connected is when it had a connection, and FirstByte when the answer began; zero means
	// unknown, as without Options.Traceparent.
	Connected, FirstByte time.Duration
	// Start is the start of the attack; zero means that of Options.
	Start time.Time
	// Code is the status of the answer; zero means that there was none.
	Code int
	// Error is the type of the error as in records ("timeout", "refused", "http_5xx",
	// …); empty means success. Text is its message.
	Error, Text string
}

// Response returns the time from when the request was due to its end.
func (e Ended) Response() time.Duration { return e.At - e.Intended }

// Service returns the time from the start of the request to its end.
func (e Ended) Service() time.Duration { return e.At - e.Begun }

// Lag returns the time by which the request was started late.
func (e Ended) Lag() time.Duration { return e.Begun - e.Intended }

// workers is the number of vegeta's initial workers; it adds more as needed.
const workers = 16

// defaultGrace is the time that requests in flight have to end after an interruption.
const defaultGrace = 5 * time.Second

// Attack sends all requests and waits until each has ended. When ctx is canceled, it
// stops sending and waits for the requests in flight; after five seconds it closes their
// connections. Requests that were due by then but not started are passed to Due, but not
// to Ended.
// The error is that of ctx; errors of requests are data.
func Attack(ctx context.Context, o Options) error {
	if err := Validate(o.Arrivals.Rate); err != nil {
		return fmt.Errorf("attack %s: %w", o.url(0), err)
	}
	if err := o.Arrivals.Share.validate(); err != nil {
		return fmt.Errorf("attack %s: %w", o.url(0), err)
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conns := newConnections(o.Dial)
	defer conns.close()
	o.Dial = conns.dialContext
	client := newClient(o)
	p := newPacer(ctx, o)
	if o.Traceparent != nil {
		p.traced = &traced{transport: client.Transport, parent: o.Traceparent, moments: map[uint64]*moments{}}
		client.Transport = p.traced
	}
	defer p.clock.Close()
	attacker := vegeta.NewAttacker(vegeta.Client(client), vegeta.Workers(workers), vegeta.MaxWorkers(math.MaxInt64))
	ended := make(chan struct{})
	defer close(ended)
	defer context.AfterFunc(ctx, func() {
		p.stop()
		attacker.Stop()
		select {
		case <-time.After(cmp.Or(o.grace, defaultGrace)):
			conns.close()
		case <-ended:
		}
	})()
	for r := range attacker.Attack(targeter(o), p, 0, o.Name) { // ends after all requests in flight, even when stopped
		e := p.result(r, o)
		r.Seq = o.Arrivals.Share.Number(r.Seq)
		if o.Keep != nil {
			o.Keep(r)
		}
		if o.Ended != nil {
			o.Ended(e)
		}
	}
	p.announceDropped()
	return context.Cause(ctx)
}

// newClient returns a client that keeps its connections. Real clients often connect
// for each request, but that cost is not to be measured.
func newClient(o Options) *http.Client {
	return &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{
			DialContext: o.Dial, MaxIdleConnsPerHost: math.MaxInt32, DisableCompression: true,
			MaxConnsPerHost: o.MaxConns, DisableKeepAlives: o.Fresh,
			TLSClientConfig: o.TLS, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// targeter returns a source of numbered requests.
func targeter(o Options) vegeta.Targeter {
	var mu sync.Mutex
	var n uint64
	return func(t *vegeta.Target) error {
		mu.Lock()
		number := o.Arrivals.Share.Number(n)
		n++
		mu.Unlock()
		if o.Request != nil {
			r := o.Request(number)
			t.Method, t.URL, t.Body, t.Header = r.Method, numbered(r.URL, number), r.Body, r.Header
			return nil
		}
		t.Method, t.URL = http.MethodPost, o.url(number)+"?report="+strconv.FormatUint(number, 10)
		t.Header = http.Header{"Content-Type": {"application/json"}}
		if o.Body != nil {
			t.Body = o.Body(number)
		}
		return nil
	}
}

// url returns the URL of the request of a number.
func (o Options) url(number uint64) string {
	if len(o.URLs) == 0 {
		return o.URL
	}
	return o.URLs[number%uint64(len(o.URLs))]
}

// numbered adds a number to a URL as its fragment, which is not sent: vegeta's results have
// no place for it.
func numbered(url string, number uint64) string {
	return url + "#" + strconv.FormatUint(number, 10)
}

// unnumbered returns the number of a result's request, and removes it from the result.
func unnumbered(r *vegeta.Result) uint64 {
	at := strings.LastIndexByte(r.URL, '#')
	if at < 0 {
		return 0
	}
	n, _ := strconv.ParseUint(r.URL[at+1:], 10, 64) // never fails: targeter wrote it
	// A *url.Error quotes the URL.
	r.Error = strings.Replace(r.Error, strconv.Quote(r.URL), strconv.Quote(r.URL[:at]), 1)
	r.URL = r.URL[:at]
	return n
}

// number returns the number that targeter gave to a request.
func number(target string) uint64 {
	n, _ := strconv.ParseUint(target[strings.LastIndexByte(target, '=')+1:], 10, 64) // never fails: targeter wrote it
	return n
}
