package sut

import (
	"bytes"
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

// tickInterval is the interval in which a service says what it has in progress.
const tickInterval = 100 * time.Millisecond

// Tick is what a service has in progress at one moment, with "tick".
type Tick struct {
	// At is the time since it began to serve.
	At time.Duration `json:"at_ns"`
	service.Ledger
	Goroutines int `json:"goroutines"`
	// Connections, counted by the dialers: those being made and those open. Of
	// the pool's, how many belong to an operation or wait for one; the others
	// that are open are the driver's monitors.
	UpstreamConnecting int `json:"upstream_connecting"`
	UpstreamOpen       int `json:"upstream_open"`
	MongoConnecting    int `json:"mongo_connecting"`
	MongoOpen          int `json:"mongo_open"`
	MongoInUse         int `json:"mongo_in_use"`
	MongoIdle          int `json:"mongo_idle"`
	// Accepted are connections of clients.
	Accepted int `json:"accepted"`
	// Exhausted counts, by side ("upstream", "mongo", "accept"), what was
	// refused because of missing descriptors since the start.
	Exhausted map[string]int `json:"exhausted,omitempty"`
}

// reportServer is what a SUT that serves reports has beside its core.
type reportServer struct {
	core     *core
	service  *service.Service
	listener *acceptor
	http     *http.Server
	began    time.Time

	terminated context.Context // done at the first SIGTERM
	stop       context.CancelFunc

	mu      sync.Mutex
	writers []*calllog.MongoWriter // all that were made and are not closed
}

// serve begins to serve reports on a free port of 127.0.0.1. It handles SIGTERM
// from before it listens: once the address is known, a SIGTERM drains the
// service and does not kill it with reports in flight.
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
	if s.service, err = service.New(o); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve reports: %w", err)
	}
	s.listener = &acceptor{Listener: listener, errors: map[string]int{}}
	s.http = &http.Server{Handler: s.service, ErrorLog: log.New(os.Stderr, "", 0), ConnState: s.listener.state, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.http.Serve(s.listener) }() // its end is ordered by drain
	c.server = s
	return s, nil
}

// clients makes clients for the service: those of the core where they are shared.
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
	if use != s.core.shared { // the core closes its own
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

// tick looks at everything once.
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

// run sends ticks until the harness or SIGTERM tells it to drain, then turns
// new reports away, finishes those in flight and returns the report.
func (s *reportServer) run(orders <-chan string, say func(Message) error) (*Report, error) {
	defer s.stop()
	goroutines := watchGoroutines()
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for told := false; !told; {
		select {
		case <-ticker.C:
			if err := say(Message{Type: TypeTick, Tick: s.tick()}); err != nil {
				return nil, err
			}
		case order := <-orders:
			if told = order == TypeDrain; told {
				break
			}
			if err := say(Message{Type: TypeStacks, Goroutines: stacks()}); err != nil {
				return nil, err
			}
		case <-s.terminated.Done():
			told = true
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	drained := s.service.Drain(ctx)
	_ = s.http.Shutdown(ctx) // idle connections of clients
	if err := say(Message{Type: TypeTick, Tick: s.tick()}); err != nil {
		return nil, err
	}
	peak := goroutines()
	r := &Report{Goroutines: &peak, Connections: &results.Kinds{
		Upstream: s.core.upstream.Counts().Peak, Mongo: s.core.mongo.Counts().Peak,
	}}
	if s.core.recorder != nil {
		r.record(s.core.recorder.Summary())
		r.Makespan = 0 // of what?
	}
	if drained != nil {
		r.Warnings = append(r.Warnings, drained.Error())
	}
	return r, nil
}

// maxStacks bounds what is said of goroutines, in bytes: one line of the
// protocol must hold it.
const maxStacks = 256 << 10

// stacks returns those of all goroutines, equal ones grouped, the largest group first.
func stacks() string {
	var text bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&text, 1) // into memory
	return string(text.Bytes()[:min(text.Len(), maxStacks)])
}

// acceptor counts connections and what kept others from being accepted.
type acceptor struct {
	net.Listener
	mu       sync.Mutex
	accepted int
	errors   map[string]int
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

// slotLimitInterval is the interval in which a limit that sets itself is looked at.
const slotLimitInterval = 20 * time.Millisecond

// watchSlotLimit looks at the limit of slots until the function that it returns is
// called, which says what it came to.
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

// summarizeLimits returns the last limit, and the median of the second half of all.
func summarizeLimits(all []int) *results.SlotLimit {
	half := slices.Sorted(slices.Values(all[len(all)/2:]))
	return &results.SlotLimit{Last: all[len(all)-1], Settled: half[len(half)/2]}
}
