package experiment

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/bench/load"
	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
)

// httpService is the HTTP service of a trial, which sut.command starts: where it
// listens, and what it and its requests are told.
type httpService struct {
	scenario *scenarios.Scenario
	variant  scenarios.Variant
	addr     string
	pid      int         // of a service that runs already; zero means that it is started
	nofile   int         // its limit of descriptors
	tls      *tls.Config // nil means http
	values   variables
	items    [][]string
}

// newHTTPService chooses an address for the service of a trial.
func (r *Trials) newHTTPService(t ScheduledTrial) (*httpService, error) {
	s := t.Level.Scenario
	h := &httpService{scenario: s, variant: t.Variant, addr: s.SUT.Addr}
	if s.Items.Kind != "" || s.Items.File != "" {
		h.items = s.ItemArgs()
	}
	h.nofile = s.SUT.NoFile
	var err error
	if s.SUT.Runs() {
		if err := h.find(s.SUT); err != nil {
			return nil, err
		}
	}
	if h.addr == "" {
		if h.addr, err = sut.FreeAddr(); err != nil {
			return nil, err
		}
	}
	if s.Service.TLS != nil {
		if h.tls, err = clientTLS(*s.Service.TLS); err != nil {
			return nil, err
		}
	}
	_, port, err := net.SplitHostPort(h.addr)
	if err != nil {
		return nil, fmt.Errorf("sut.addr: %w", err)
	}
	h.values = r.variables(s, t.Variant)
	h.values[scenarios.VariableAddr], h.values[scenarios.VariablePort] = h.addr, port
	return h, nil
}

// find finds the process of a service that runs already, its address and its limit.
func (h *httpService) find(s scenarios.SUT) error {
	h.pid = s.PID
	if s.Port > 0 {
		pids, _, err := probe.Listeners(uint16(s.Port))
		switch {
		case err != nil:
			return err
		case len(pids) == 0:
			return fmt.Errorf("no process that this user may look at listens on port %d; start it, name its command, or run as its user", s.Port)
		case len(pids) > 1:
			return fmt.Errorf("processes %v all listen on port %d; name one as sut.pid in a scenario", pids, s.Port)
		}
		h.pid, h.addr = pids[0], net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))
	}
	inspector, err := probe.Inspect(h.pid)
	if err != nil {
		return fmt.Errorf("look at process %d: %w", h.pid, err)
	}
	defer func() { _ = inspector.Close() }() // it only read
	limit, err := inspector.Limit()
	if err != nil {
		return err
	}
	h.nofile = int(min(limit, math.MaxInt32))
	if h.addr != "" {
		return nil
	}
	d, err := inspector.Descriptors()
	switch {
	case err != nil:
		return err
	case len(d.Listening) != 1:
		return fmt.Errorf("sut.pid: process %d listens on %d addresses %v; name the one to load as sut.addr", h.pid, len(d.Listening), d.Listening)
	}
	h.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(int(d.Listening[0].Port())))
	return nil
}

// clientTLS reads the certificates of the load generator.
func clientTLS(t scenarios.TLS) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("service.tls.ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("service.tls.ca: %s holds no certificate in PEM format", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("service.tls.cert: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// options returns how to start the service.
func (h *httpService) options(executable string) (sut.Options, error) {
	s := h.scenario.SUT
	o := sut.Options{Executable: executable, NoFile: s.NoFile, HTTP: true, ReadyLog: s.Ready.Log}
	return o, h.values.fill(&o, s)
}

// request makes the request of number n.
func (h *httpService) request(n uint64) (load.Request, error) {
	r := h.scenario.Pick(n)
	scheme := "http://"
	if h.tls != nil {
		scheme = "https://"
	}
	made := load.Request{Method: r.Method, URL: scheme + h.addr + r.Path, Body: r.Data}
	literal := h.scenario.Service.Targets != ""
	var err error
	more := map[string]string{scenarios.VariableNumber: strconv.FormatUint(n, 10)}
	if len(h.items) > 0 {
		more[scenarios.VariableItem] = strings.Join(h.items[n%uint64(len(h.items))], "/")
	}
	expand := func(text string) string {
		if literal || err != nil {
			return text
		}
		var expanded string
		expanded, err = h.values.expand(text, more)
		return expanded
	}
	made.URL = scheme + h.addr + expand(r.Path)
	if r.Body != "" {
		made.Body = []byte(expand(r.Body))
	}
	for name, v := range r.Headers {
		if made.Header == nil {
			made.Header = http.Header{}
		}
		made.Header.Set(name, expand(scenarios.Text(v)))
	}
	return made, err
}

// readyHTTP waits until the service shows that it is ready.
func (m *measurement) readyHTTP(ctx context.Context) (string, error) {
	s, h := m.planned.Level.Scenario.SUT, m.service.http
	bounded, cancel := context.WithTimeout(ctx, s.MaxReady())
	defer cancel()
	err := m.process.AwaitReady(bounded, s.Ready, h.addr, h.tls)
	if err == nil || ctx.Err() != nil {
		return results.OutcomeFailed, err
	}
	m.record.NotReady = true
	if errors.Is(err, sut.ErrExited) {
		text := m.process.Exit().Text
		if m.process.Exit().Code == 0 {
			return results.OutcomeCrashed, fmt.Errorf("the service ended with %s before it was ready; it must stay in the foreground, got %s", text, m.process.Output())
		}
		return results.OutcomeCrashed, fmt.Errorf("the service ended with %s before it was ready, got %s", text, m.process.Output())
	}
	return results.OutcomeFailed, fmt.Errorf("the service was not ready on %s within %v (sut.ready_timeout): %w%s; got %s", h.addr, s.MaxReady(), err, listensElsewhere(m.process.PID(), h.addr), m.process.Output())
}

// listensElsewhere names the addresses on which a process listens, for an error, if addr
// is not among them; empty means that it is, or that they cannot be seen.
func listensElsewhere(pid int, addr string) string {
	inspector, err := probe.Inspect(pid)
	if err != nil {
		return ""
	}
	defer func() { _ = inspector.Close() }() // it only read
	d, err := inspector.Descriptors()
	if err != nil || len(d.Listening) == 0 || slices.ContainsFunc(d.Listening, func(a netip.AddrPort) bool { return a.String() == addr }) {
		return ""
	}
	return fmt.Sprintf("; it listens on %v", d.Listening)
}

// serveHTTP loads the service, sees whether it recovers, and has it end.
func (t *serviceTrial) serveHTTP(ctx context.Context) (outcome string, err error) {
	for n := range uint64(len(t.scenario.Service.Requests)) { // before the load, whose requests cannot fail so
		if _, err := t.http.request(n); err != nil {
			return results.OutcomeFailed, fmt.Errorf("service.requests: %w", err)
		}
	}
	alive, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(exitedContext(t.m.process.Exited()), func() { stop(sut.ErrExited) })()
	observed := t.observeHTTP()
	err = t.load(alive)
	recovered := err == nil && t.recovered(alive)
	observed()
	if errors.Is(context.Cause(alive), sut.ErrExited) {
		return results.OutcomeCrashed, fmt.Errorf("the service ended with %s under load", t.m.process.Exit().Text)
	}
	if err != nil {
		return results.OutcomeFailed, err
	}
	if t.m.record.Service, err = t.result(recovered); err != nil {
		return results.OutcomeFailed, err
	}
	t.drainHTTP(ctx)
	if t.m.trials.ignoreLag {
		return "", nil
	}
	return checkGenerator(t.m.record.Service)
}

// exitedContext returns a context that ends with a process.
func exitedContext(exited <-chan struct{}) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-exited // the trial kills it in the end
		cancel()
	}()
	return ctx
}

// drainHTTP has the service end by SIGTERM, and records how long that took and how
// it ended. One that ignores it is killed by the trial.
func (t *serviceTrial) drainHTTP(ctx context.Context) {
	limit := time.Duration(t.scenario.SUT.Timeout)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if t.http.pid > 0 { // it goes on; the next window begins when it has calmed down
		if n, err := t.m.sampler.WaitFor(t.m.record.Descriptors.Baseline, coolDown); err == nil && n > t.m.record.Descriptors.Baseline {
			t.m.warn("%d descriptors more than before are open %v after the load", n-t.m.record.Descriptors.Baseline, coolDown)
		}
		return
	}
	began := time.Now()
	if err := t.m.process.Terminate(); err != nil {
		t.m.warn("%v", err)
		return
	}
	if err := t.m.process.Wait(ctx); err != nil {
		t.m.warn("the service had not ended %v after SIGTERM (sut.timeout) and was killed", limit)
		return
	}
	took := time.Since(began)
	t.m.record.Service.Drain = &took
	if exit := t.m.process.Exit(); exit.Code > 0 {
		t.m.warn("the service ended with %s after SIGTERM", exit.Text)
	}
}

// coolDown bounds the wait until a service that goes on has closed what it opened.
const coolDown = 10 * time.Second

// observeInterval is the interval in which a service is looked at from outside.
const observeInterval = 100 * time.Millisecond

// observeHTTP looks at the service from outside until the function that it returns
// is called.
func (t *serviceTrial) observeHTTP() (stop func()) {
	began := time.Now()
	done, ended := make(chan struct{}), make(chan struct{})
	full := int64(0)
	t.series.Only() // those that can be seen from outside
	view := newEndpoints(t.m.process.PID())
	look := func() {
		seen := t.observe()
		seen.NoFile = t.http.nofile
		counted := view.look()
		t.mu.Lock()
		c := t.recorder.Counts()
		k := sut.Tick{At: time.Since(began)}
		k.Arrived, k.Done, k.Failed, k.ReportsInFlight = c.Due, c.OK, c.Ended-c.OK, c.Due-c.Ended
		t.mu.Unlock()
		if seen.Descriptors >= seen.NoFile {
			full++
		}
		values := map[results.Column]int64{
			results.ColumnArrived: int64(k.Arrived), results.ColumnDone: int64(k.Done), results.ColumnFailed: int64(k.Failed),
			results.ColumnReportsInFlight: int64(k.ReportsInFlight), results.ColumnPeakInFlight: int64(c.Peak), results.ColumnRefused: full,
		}
		seen.columns(values)
		if counted != nil {
			values[results.ColumnClients], values[results.ColumnOwnDescriptors] = counted.clients, counted.own
		}
		t.note(k, values)
		t.publish(k, seen)
	}
	go func() {
		defer close(ended)
		ticker := time.NewTicker(observeInterval)
		defer ticker.Stop()
		for {
			look()
			select {
			case <-ticker.C:
			case <-done:
				look() // at what stays open
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		t.m.record.Descriptors.Endpoints = view.close()
		if t.http.pid > 0 {
			t.m.record.Descriptors.Limit = t.http.nofile
		}
	}
}

// endpoints looks at the connections of a service.
type endpoints struct {
	inspector *probe.Inspector // nil means that they cannot be seen
	groups    map[string]*results.Endpoint
	next      time.Time // of the next look
	last      counted
}

// counted is what a look at the endpoints counts.
type counted struct {
	clients int64 // accepted and established connections, at the last look
	own     int64 // descriptors but accepted connections; zero means no look this time
}

// shareOfLooks is how many times longer than a look takes there is none after it.
const shareOfLooks = 50

func newEndpoints(pid int) *endpoints {
	e := &endpoints{groups: map[string]*results.Endpoint{}}
	e.inspector, _ = probe.Inspect(pid) // the error means another system or process
	return e
}

// look counts the groups of connections, unless that was costly a moment ago; nil means
// that they cannot be seen.
func (e *endpoints) look() *counted {
	if e.inspector == nil {
		return nil
	}
	e.last.own = 0
	if time.Now().Before(e.next) {
		return &e.last
	}
	d, err := e.inspector.Descriptors()
	if err != nil {
		return &e.last
	}
	e.next = time.Now().Add(shareOfLooks * d.Cost)
	first := len(e.groups) == 0
	for _, g := range e.groups {
		g.Last, g.Idle = 0, 0
	}
	e.last = counted{own: int64(d.Total)}
	for _, c := range d.Connections {
		direction := "to"
		if c.Accepted {
			direction = "from clients at"
			e.last.own -= int64(c.Count)
			if c.State == probe.Established {
				e.last.clients += int64(c.Count)
			}
		}
		name := fmt.Sprintf("%v %s %v", c.State, direction, c.Endpoint)
		g := e.groups[name]
		if g == nil {
			g = &results.Endpoint{Name: name}
			e.groups[name] = g
			if first {
				g.First = c.Count
			}
		}
		g.Last, g.Idle, g.Peak = c.Count, c.Idle, max(g.Peak, c.Count)
	}
	return &e.last
}

// close ends the looks, and returns the groups, those that grew most first.
func (e *endpoints) close() []results.Endpoint {
	if e.inspector == nil {
		return nil
	}
	e.next = time.Time{}
	e.look()
	_ = e.inspector.Close() // it only read
	all := make([]results.Endpoint, 0, len(e.groups))
	for _, g := range e.groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b results.Endpoint) int {
		return cmp.Or(cmp.Compare(b.Last-b.First, a.Last-a.First), cmp.Compare(b.Peak, a.Peak), cmp.Compare(a.Name, b.Name))
	})
	return all[:min(len(all), maxEndpoints)]
}

// maxEndpoints bounds the groups in a record: a client of thousands of servers has
// thousands.
const maxEndpoints = 20

// columns adds what was seen from outside to a sample of the series.
func (s Seen) columns(values map[results.Column]int64) {
	values[results.ColumnDescriptors], values[results.ColumnThreads], values[results.ColumnRSS] = int64(s.Descriptors), int64(s.Threads), s.RSS
	if k := s.Kinds; k != nil {
		values[results.ColumnDescriptorsUpstream], values[results.ColumnDescriptorsMongo], values[results.ColumnDescriptorsOther] = int64(k.Upstream), int64(k.Mongo), int64(k.Others())
	}
}
