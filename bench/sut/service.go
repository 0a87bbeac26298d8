package sut

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"syscall"
	"time"

	"floodgate/results"
	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
	"floodgate/scenarios/service"
)

// tickInterval is the interval between ticks.
const tickInterval = 100 * time.Millisecond

// Tick is the state of a service at one moment, with "tick".
type Tick struct {
	// At is the time since the start of the service.
	At time.Duration `json:"at_ns"`
	service.Ledger
	Goroutines int `json:"goroutines"`
	// The dialers count connections that are connecting or open. Of those to MongoDB,
	// the pool's are in use or idle, and the others are the driver's monitors.
	UpstreamConnecting int `json:"upstream_connecting"`
	UpstreamOpen       int `json:"upstream_open"`
	MongoConnecting    int `json:"mongo_connecting"`
	MongoOpen          int `json:"mongo_open"`
	MongoInUse         int `json:"mongo_in_use"`
	MongoIdle          int `json:"mongo_idle"`
	// Accepted counts the open connections of clients.
	Accepted int `json:"accepted"`
	// Exhausted counts the connections since the start that failed for lack of
	// descriptors, by side ("upstream", "mongo", "accept").
	Exhausted map[string]int `json:"exhausted,omitempty"`
}

// Plus returns the counts of two hosts together, at the time of k.
func (k Tick) Plus(o Tick) Tick {
	k.Ledger = k.Ledger.Plus(o.Ledger)
	for _, sum := range []struct {
		to *int
		n  int
	}{
		{&k.Goroutines, o.Goroutines},
		{&k.UpstreamConnecting, o.UpstreamConnecting}, {&k.UpstreamOpen, o.UpstreamOpen},
		{&k.MongoConnecting, o.MongoConnecting}, {&k.MongoOpen, o.MongoOpen}, {&k.MongoInUse, o.MongoInUse}, {&k.MongoIdle, o.MongoIdle},
		{&k.Accepted, o.Accepted},
	} {
		*sum.to += sum.n
	}
	exhausted := maps.Clone(k.Exhausted)
	for side, n := range o.Exhausted {
		if exhausted == nil {
			exhausted = map[string]int{}
		}
		exhausted[side] += n
	}
	k.Exhausted = exhausted
	return k
}

// reportServer serves reports with a core.
type reportServer struct {
	core     *core
	service  *service.Service
	listener *acceptor
	http     *http.Server
	began    time.Time

	terminated context.Context // done at the first SIGTERM
	stop       context.CancelFunc

	mu      sync.Mutex
	writers []*calllog.MongoWriter // those that are not closed
}

// serve starts to serve reports on a free port of the specification's address. It handles SIGTERM before
// it listens, so that a SIGTERM drains the service as soon as its address is known.
func (c *core) serve() (_ *reportServer, err error) {
	s := &reportServer{core: c, began: time.Now()}
	s.terminated, s.stop = signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	v := c.spec.Variant
	waiting := service.Unlimited
	if v.Waiting != nil {
		waiting = *v.Waiting
	}
	scope := service.Scope(v.Connections.Clients)
	if scope == "" {
		scope = service.Shared
	}
	o := service.Options{Strategy: c.strategy, Slots: c.slots, Queue: waiting, Scope: scope, Clients: s.clients}
	if c.recorder != nil {
		o.Observer = c.recorder
	}
	if c.tracing != nil {
		o.Trace = c.tracing.report
	}
	if s.service, err = service.New(o); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(cmp.Or(c.spec.Listen, "127.0.0.1"), "0"))
	if err != nil {
		return nil, fmt.Errorf("serve reports: %w", err)
	}
	s.listener = &acceptor{Listener: listener, errors: map[string]int{}}
	s.http = &http.Server{Handler: s.service, ErrorLog: log.New(os.Stderr, "", 0), ConnState: s.listener.state, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.http.Serve(s.listener) }() // until Shutdown in run
	return s, nil
}

// clients creates clients for the service, or returns those of the core if they are shared.
func (s *reportServer) clients() (service.Clients, error) {
	use := s.core.shared
	if use == nil {
		var err error
		if use, err = s.core.connect(); err != nil {
			return service.Clients{}, err
		}
	}
	made := service.Clients{
		Fetcher: use.fetcher,
		Writer:  pipeline.WriterFunc[calllog.Document](func(context.Context, []calllog.Document) error { return nil }),
	}
	if use.writer != nil {
		made.Writer = use.writer
		s.mu.Lock()
		s.writers = append(s.writers, use.writer)
		s.mu.Unlock()
	}
	if use != s.core.shared { // the core closes the shared ones
		made.Close = func(ctx context.Context) error { return s.closeClients(ctx, use) }
	}
	return made, nil
}

func (s *reportServer) closeClients(ctx context.Context, use *clients) error {
	use.fetcher.Close()
	if use.writer == nil {
		return nil
	}
	s.mu.Lock()
	s.writers = slices.DeleteFunc(s.writers, func(w *calllog.MongoWriter) bool { return w == use.writer })
	s.mu.Unlock()
	return use.writer.Close(ctx)
}

// tick returns the current state.
func (s *reportServer) tick() *Tick {
	up, mongo := s.core.upstream.Counts(), s.core.mongo.Counts()
	t := &Tick{
		At: time.Since(s.began), Ledger: s.service.Ledger(), Goroutines: runtime.NumGoroutine(),
		UpstreamConnecting: up.Connecting, UpstreamOpen: up.Open, MongoConnecting: mongo.Connecting, MongoOpen: mongo.Open,
		Accepted: s.listener.open(),
	}
	refused := s.listener.failures()
	for name, n := range refused {
		t.Errors[name+" accept"] += n
	}
	t.Exhausted = map[string]int{"upstream": up.Exhausted, "mongo": mongo.Exhausted, "accept": refused["emfile"]}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.writers {
		p := w.Pool()
		t.MongoInUse += p.InUse
		t.MongoIdle += p.Idle
	}
	return t
}

// drainTimeout bounds the wait for reports in flight.
const drainTimeout = 30 * time.Second

// run sends ticks until the harness or SIGTERM tells it to drain. Then it rejects new
// reports, finishes those in flight and returns the SUT's report.
func (s *reportServer) run(orders <-chan string, send func(Message) error) (*Report, error) {
	defer s.stop()
	goroutines := watchGoroutines()
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for draining := false; !draining; {
		select {
		case <-ticker.C:
			if err := send(Message{Type: TypeTick, Tick: s.tick()}); err != nil {
				return nil, err
			}
		case order := <-orders:
			if draining = order == TypeDrain; draining {
				break
			}
			if err := send(Message{Type: TypeStacks, Goroutines: stacks()}); err != nil {
				return nil, err
			}
		case <-s.terminated.Done():
			draining = true
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	drained := s.service.Drain(ctx)
	_ = s.http.Shutdown(ctx) // closes idle connections of clients
	if err := send(Message{Type: TypeTick, Tick: s.tick()}); err != nil {
		return nil, err
	}
	peak := goroutines()
	r := &Report{Goroutines: &peak, Connections: &results.Kinds{
		Upstream: s.core.upstream.Counts().Peak, Mongo: s.core.mongo.Counts().Peak,
	}}
	if s.core.recorder != nil {
		r.Record(s.core.recorder.Summary())
		r.Makespan = 0 // a service has none
	}
	if s.core.tracing != nil {
		r.Traces = s.core.tracing.result()
	}
	if drained != nil {
		r.Warnings = append(r.Warnings, drained.Error())
	}
	return r, nil
}

// maxStacks bounds the text of stacks in bytes, which must fit in one line of the protocol.
const maxStacks = 256 << 10

// stacks returns the stacks of all goroutines, equal ones grouped, the largest group first.
func stacks() string {
	var text bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&text, 1) // never fails in memory
	return string(text.Bytes()[:min(text.Len(), maxStacks)])
}

// acceptor counts connections of clients and errors of Accept.
type acceptor struct {
	net.Listener
	mu       sync.Mutex
	accepted int            // open connections
	errors   map[string]int // by type
}

func (a *acceptor) Accept() (net.Conn, error) {
	c, err := a.Listener.Accept()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		a.mu.Lock()
		a.errors[pipeline.ErrorType(err)]++
		a.mu.Unlock()
	}
	return c, err
}

func (a *acceptor) state(_ net.Conn, s http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch s {
	case http.StateNew:
		a.accepted++
	case http.StateClosed, http.StateHijacked:
		a.accepted--
	case http.StateActive, http.StateIdle:
	}
}

func (a *acceptor) open() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.accepted
}

func (a *acceptor) failures() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.errors)
}

// slotLimitInterval is the interval between samples of an adaptive limit.
const slotLimitInterval = 20 * time.Millisecond

// watchSlotLimit samples the limit of slots until the function that it returns is
// called, which returns a summary.
func watchSlotLimit(slots pipeline.Slots) func() *results.SlotLimit {
	stop, seen := make(chan struct{}), make(chan []int)
	go func() {
		ticker := time.NewTicker(slotLimitInterval)
		defer ticker.Stop()
		all := []int{slots.Limit()}
		for {
			select {
			case <-ticker.C:
				all = append(all, slots.Limit())
			case <-stop:
				seen <- append(all, slots.Limit())
				return
			}
		}
	}()
	return func() *results.SlotLimit { close(stop); return summarizeLimits(<-seen) }
}

// summarizeLimits returns the last limit and the median of the second half.
func summarizeLimits(all []int) *results.SlotLimit {
	half := slices.Sorted(slices.Values(all[len(all)/2:]))
	return &results.SlotLimit{Last: all[len(all)-1], Settled: half[len(half)/2]}
}
