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
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/mockupstream/precise"
)

// Options of an attack.
type Options struct {
	// URL that is sent POST requests, with their number as the parameter "report".
	URL string
	// Body of the request of a number, from 0. Called by many goroutines.
	Body func(n uint64) []byte
	// Arrivals are when requests are due.
	Arrivals Arrivals
	// Timeout of one request. Default 30s.
	Timeout time.Duration
	// Dial connects. Nil: as net.Dialer does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Due hears of every request as it is due, Ended as it ends; each is called
	// by one goroutine at a time and must not block. Nil: nobody.
	Due   func(Due)
	Ended func(Ended)
	// Name of the attack in vegeta's results.
	Name string
	// Save gets vegeta's own results, for its encoders. Its error ends the attack. Nil: nobody.
	Save func(*vegeta.Result) error
}

// Due is a request that is to be begun now. Times are since the attack's start.
type Due struct {
	Seq      uint64
	Intended time.Duration
}

// Ended is a request that has ended. Times are since the attack's start.
type Ended struct {
	// Report is the number that its Body was made for.
	Report uint64
	// Intended is when it was due, Begun when it was begun.
	Intended, Begun, At time.Duration
	// Code is the answer's status, 0 without an answer.
	Code int
	// Error is its type as in records ("timeout", "refused", "http_5xx", …);
	// empty: the answer was a success. Text says more.
	Error, Text string
}

// Response is the time since it was due, Service since it was begun, Lag
// between the two.
func (e Ended) Response() time.Duration { return e.At - e.Intended }

// Service is the time since it was begun.
func (e Ended) Service() time.Duration { return e.At - e.Begun }

// Lag is how late it was begun.
func (e Ended) Lag() time.Duration { return e.Begun - e.Intended }

// workers that vegeta begins with; it adds as many as are needed.
const workers = 16

// Attack sends all requests and waits until each has ended. Cancelling ctx
// stops sending; requests that run are waited for until their Timeout. The
// error is that of ctx or of Save; errors of requests are data.
func Attack(ctx context.Context, o Options) error {
	if err := Validate(o.Arrivals.Rate); err != nil {
		return fmt.Errorf("attack %s: %w", o.URL, err)
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	client := newClient(o)
	defer client.CloseIdleConnections()
	p := &pacer{ctx: ctx, due: o.Due, clock: precise.New(), schedule: schedule{arrivals: o.Arrivals}, intended: map[uint64]time.Duration{}}
	defer p.clock.Close()
	attacker := vegeta.NewAttacker(vegeta.Client(client), vegeta.Workers(workers), vegeta.MaxWorkers(math.MaxInt64))
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	var failed error
	for r := range attacker.Attack(targeter(o), p, 0, o.Name) {
		if o.Save != nil && failed == nil {
			if failed = o.Save(r); failed != nil {
				attacker.Stop()
			}
		}
		if o.Ended != nil {
			o.Ended(p.ended(r))
		} else {
			p.ended(r)
		}
	}
	if failed != nil {
		return fmt.Errorf("save results: %w", failed)
	}
	return context.Cause(ctx)
}

// newClient keeps connections: those of real clients come and go with their
// requests, but their cost is not what is measured here.
func newClient(o Options) *http.Client {
	return &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{
			DialContext: o.Dial, MaxIdleConnsPerHost: math.MaxInt32, DisableCompression: true,
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
		t.Method, t.URL = http.MethodPost, o.URL+"?report="+strconv.FormatUint(number, 10)
		t.Header = http.Header{"Content-Type": {"application/json"}}
		if o.Body != nil {
			t.Body = o.Body(number)
		}
		return nil
	}
}

// number is the request's own, which targeter gave it.
func number(target string) uint64 {
	u, err := url.Parse(target)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(u.Query().Get("report"), 10, 64) // we wrote it
	return n
}

// pacer holds each request back until it is due, by a clock that is finer than
// vegeta's, and remembers when that was until the request has ended.
type pacer struct {
	ctx      context.Context
	due      func(Due)
	clock    *precise.Clock
	schedule schedule

	mu       sync.Mutex
	began    time.Time
	intended map[uint64]time.Duration
}

// Pace waits for the start of request hits; vegeta need not wait after it.
func (p *pacer) Pace(elapsed time.Duration, hits uint64) (wait time.Duration, stop bool) {
	at, more := p.schedule.next()
	if !more {
		return 0, true
	}
	p.mu.Lock()
	if p.began.IsZero() {
		p.began = time.Now().Add(-elapsed)
	}
	p.intended[hits] = at
	p.mu.Unlock()
	if ahead := at - time.Since(p.began); ahead > 0 && p.clock.Sleep(p.ctx, ahead) != nil {
		return 0, true
	}
	if p.due != nil {
		p.due(Due{Seq: hits, Intended: at})
	}
	return 0, false
}

// Rate is what vegeta's pacers have; nothing of ours asks for it.
func (p *pacer) Rate(elapsed time.Duration) float64 {
	return p.schedule.arrivals.Rate.PerSecond(elapsed)
}

func (p *pacer) ended(r *vegeta.Result) Ended {
	p.mu.Lock()
	defer p.mu.Unlock()
	begun := r.Timestamp.Sub(p.began)
	e := Ended{
		Report: number(r.URL), Intended: p.intended[r.Seq], Begun: begun, At: begun + r.Latency,
		Code: int(r.Code), Text: r.Error,
	}
	e.Error = errorType(r)
	delete(p.intended, r.Seq)
	return e
}
