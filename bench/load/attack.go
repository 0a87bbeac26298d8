// Package load attacks a service with requests that come when they are due,
// whatever became of those before: an open loop, driven by vegeta.
//
// Vegeta stamps a request when a worker takes it up. Where that is later than
// it was due, because the generator or the machine could not keep up, that time
// would be missing from every latency (coordinated omission). So each request
// has three times here: when it was due (intended), when it was begun, and when
// it ended. Response time counts from the first, service time from the second,
// and the lag between them is recorded too. The number of workers is never
// capped: requests wait for nothing but the generator itself.
package load

import (
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
	// URL that is sent POST requests, with their number as the parameter "report".
	URL string
	// Body of the request of a number, from 0. Called by many goroutines.
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
	// Arrivals are when requests are due.
	Arrivals Arrivals
	// Timeout of one request. Default 30s.
	Timeout time.Duration
	// Dial connects; nil means as net.Dialer does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Due hears of every request as it is due, Ended as it ends; each is called
	// by one goroutine at a time and must not block; nil means that nothing is called.
	Due   func(Due)
	Ended func(Ended)
	// Name of the attack in vegeta's results.
	Name string
	// Keep gets vegeta's own results, for its encoders; nil means that nothing is called.
	Keep func(*vegeta.Result)

	// clock that requests wait by until they are due; nil means a precise one.
	clock sleeper
}

// Request is one request of an attack.
type Request struct {
	Method, URL string
	// Header is not changed; nil means none.
	Header http.Header
	Body   []byte
}

// Due is a request that is to be begun now. Times are since the attack's start.
type Due struct {
	Seq      uint64
	Intended time.Duration
}

// Ended is a request that has ended. Times are since the attack's start.
type Ended struct {
	// Report is the number that its Body was made for; of an attack with its own
	// Request, the position in the order of the starts.
	Report uint64
	// Intended is when it was due, Begun when it was begun.
	Intended, Begun, At time.Duration
	// Code is the answer's status, 0 without an answer.
	Code int
	// Error is its type as in records ("timeout", "refused", "http_5xx", …);
	// empty: the answer was a success. Text says more.
	Error, Text string
}

// Response returns the time since it was due, Service since it was begun, Lag
// between the two.
func (e Ended) Response() time.Duration { return e.At - e.Intended }

// Service returns the time since it was begun.
func (e Ended) Service() time.Duration { return e.At - e.Begun }

// Lag returns how late it was begun.
func (e Ended) Lag() time.Duration { return e.Begun - e.Intended }

// workers that vegeta begins with; it adds as many as are needed.
const workers = 16

// Attack sends all requests and waits until each has ended. Cancelling ctx
// stops sending; requests that run are waited for until their Timeout, and those
// that were due by then and never begun are told to Due, but not to Ended. The
// error is that of ctx; errors of requests are data.
func Attack(ctx context.Context, o Options) error {
	if err := Validate(o.Arrivals.Rate); err != nil {
		return fmt.Errorf("attack %s: %w", o.URL, err)
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	client := newClient(o)
	defer client.CloseIdleConnections()
	p := newPacer(ctx, o)
	defer p.clock.Close()
	attacker := vegeta.NewAttacker(vegeta.Client(client), vegeta.Workers(workers), vegeta.MaxWorkers(math.MaxInt64))
	defer context.AfterFunc(ctx, func() {
		p.stop()
		attacker.Stop()
	})()
	for r := range attacker.Attack(targeter(o), p, 0, o.Name) { // in full after a stop too: whatever was begun
		if o.Keep != nil {
			o.Keep(r)
		}
		if e := p.ended(r, o); o.Ended != nil {
			o.Ended(e)
		}
	}
	p.drop()
	return context.Cause(ctx)
}

// newClient keeps connections: those of real clients come and go with their
// requests, but their cost is not what is measured here.
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

// targeter numbers the requests.
func targeter(o Options) vegeta.Targeter {
	var mu sync.Mutex
	var n uint64
	return func(t *vegeta.Target) error {
		mu.Lock()
		number := n
		n++
		mu.Unlock()
		if o.Request != nil {
			r := o.Request(number)
			t.Method, t.URL, t.Body, t.Header = r.Method, r.URL, r.Body, r.Header
			return nil
		}
		t.Method, t.URL = http.MethodPost, o.URL+"?report="+strconv.FormatUint(number, 10)
		t.Header = http.Header{"Content-Type": {"application/json"}}
		if o.Body != nil {
			t.Body = o.Body(number)
		}
		return nil
	}
}

// number returns the request's own, which targeter gave it.
func number(target string) uint64 {
	n, _ := strconv.ParseUint(target[strings.LastIndexByte(target, '=')+1:], 10, 64) // we wrote it
	return n
}
