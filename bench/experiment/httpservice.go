package experiment

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/bench/environment/target"
	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
)

// httpService is the HTTP service of a host, which sut.command starts: where it
// listens, and what it is told.
type httpService struct {
	scenario *scenarios.Scenario
	values   variables
	addr     string
	port     uint16 // of addr
	pid      int    // of a service that runs already; zero means that it is started
	nofile   int    // its limit of descriptors
	// elsewhere means that it runs on another machine, where its process cannot be seen.
	elsewhere bool
	pod       bool // it runs in a pod, to which addr leads
	targets   target.Policy
	tls       *tls.Config // nil means http
	scraper   *scraper    // nil means that no metrics are scraped
}

// newHTTPService chooses an address for the service of a host. Another machine than this one
// must be allowed.
func (r *Trials) newHTTPService(ctx context.Context, t ScheduledTrial, p part) (*httpService, error) {
	s := t.Level.Scenario
	h := &httpService{scenario: s, nofile: s.SUT.NoFile, addr: cmp.Or(s.SUT.Addr, p.addr), targets: target.Policy{Allowed: r.Environment.AllowedTargets()}}
	var err error
	switch {
	case r.Launcher != nil: // forward finds the way
		h.addr = net.JoinHostPort(r.Launcher.Listen(), strconv.Itoa(cmp.Or(s.SUT.Container.Port, podPort)))
	case s.SUT.Host != "":
		if err := h.targets.Check(ctx, s.SUT.Host); err != nil {
			return nil, fmt.Errorf("sut.host: %w", err)
		}
		h.elsewhere, h.addr = true, net.JoinHostPort(s.SUT.Host, strconv.Itoa(s.SUT.Port))
	case s.SUT.Runs():
		if err := h.find(s.SUT); err != nil {
			if s.SUT.PID > 0 {
				err = fmt.Errorf("sut.pid: %w", err)
			}
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
	listens := h.addr
	if p := s.SUT.Container.Port; p > 0 && r.Launcher == nil {
		listens = net.JoinHostPort("0.0.0.0", strconv.Itoa(p)) // in its own network
	}
	_, port, err := net.SplitHostPort(listens)
	if err != nil {
		return nil, fmt.Errorf("sut.addr: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("sut.addr: %w", err)
	}
	h.port = uint16(number)
	h.values = r.variables(s, t.Variant)
	h.values[scenarios.VariableAddr], h.values[scenarios.VariablePort] = listens, port
	return h, h.locate()
}

// podPort is the port on which a service in a pod listens by default.
const podPort = 8080

// locate sets what follows from the address of the service.
func (h *httpService) locate() (err error) {
	h.scraper, err = h.newScraper()
	return err
}

// forward finds the way to a service that was launched elsewhere: one from this machine,
// and one for its load generators.
func (h *httpService) forward(m *measurement) error {
	inside, here, elsewhere, err := m.process.Forward(h.port)
	if err != nil || !elsewhere {
		return err
	}
	h.pod, h.addr, m.service.inside = true, here.String(), "http://"+inside.String()
	return h.locate()
}

// contain completes the options of the service's container; nil means that it has none.
func (h *httpService) contain(o *sut.ContainerOptions) {
	c := h.scenario.SUT.Container
	if o == nil {
		return
	}
	if o.Image = c.Image; c.Port > 0 {
		o.Port, o.Published = uint16(c.Port), netip.MustParseAddrPort(h.addr)
	}
}

// url returns the URL of a path.
func (h *httpService) url(path string) string {
	if h.tls != nil {
		return "https://" + h.addr + path
	}
	return "http://" + h.addr + path
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
			return fmt.Errorf("no process that this user may inspect listens on port %d; start it, name its command, or run as its user", s.Port)
		case len(pids) > 1:
			return fmt.Errorf("processes %v all listen on port %d; name one as sut.pid in a scenario", pids, s.Port)
		}
		h.pid, h.addr = pids[0], net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))
	}
	if process, err := probe.ProcessOf(h.pid); err == nil { // the ID may be that of a thread
		h.pid = process
	}
	inspector, err := probe.Inspect(h.pid)
	if err != nil {
		switch {
		case errors.Is(err, probe.ErrExited):
			return fmt.Errorf("process %d does not run; start it, or name another one", h.pid)
		case errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("process %d belongs to another user, whose descriptors this user may not inspect; run as its user or as root", h.pid)
		}
		return err
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
		return fmt.Errorf("process %d listens on %d addresses %v; name the one to load as sut.addr", h.pid, len(d.Listening), d.Listening)
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

// readyHTTP waits until the service shows that it is ready.
func (m *measurement) readyHTTP(ctx context.Context) (string, error) {
	s, h := m.planned.Level.Scenario.SUT, m.service.http
	bounded, cancel := context.WithTimeout(ctx, s.MaxReady())
	defer cancel()
	err := m.process.AwaitReady(bounded, s.Ready, h.addr, h.targets.DialContext, h.tls)
	if err == nil && (s.Container.Port > 0 || h.pod) && s.Ready.HTTP == "" && s.Ready.Log == "" {
		err = m.awaitListening(bounded)
	}
	if err == nil && s.Container.Image != "" {
		var err error
		if h.pod {
			err = h.checkPod(m.process.Listening())
		} else {
			err = checkNetwork(s.Container, m.process.Listening())
		}
		if err != nil {
			m.record.NotReady = true
			return results.OutcomeFailed, err
		}
	}
	scraped := err == nil && h.scraper != nil
	if scraped {
		err = h.scraper.await(bounded, m.process.Exited())
	}
	if err == nil && !h.elsewhere {
		m.findServing()
	}
	if err == nil || ctx.Err() != nil {
		return results.OutcomeFailed, err
	}
	m.record.NotReady = true
	if scraped && !errors.Is(err, sut.ErrExited) {
		return results.OutcomeFailed, fmt.Errorf("sut.metrics: %w", err)
	}
	if h.elsewhere {
		return results.OutcomeFailed, fmt.Errorf("nothing answered on %s within %v (sut.ready_timeout): %w", h.addr, s.MaxReady(), err)
	}
	if errors.Is(err, sut.ErrExited) {
		return results.OutcomeCrashed, m.endedEarly()
	}
	return results.OutcomeFailed, fmt.Errorf("the service was not ready on %s within %v (sut.ready_timeout): %w%s; got %s", h.addr, s.MaxReady(), err, m.listensElsewhere(), m.process.Output())
}

// endedEarly returns the error of a service that ended before the load.
func (m *measurement) endedEarly() error {
	exit := m.process.Exit()
	switch forked := forkedAway(exit, m.service.http.port); {
	case forked != "":
		return errors.New(forked)
	case len(exit.Left) > 0:
		return fmt.Errorf("the service ended with %s before it was ready, while process %d (%s), which it had started, went on and was ended; it must stay in the foreground, got %s", exit.Text, exit.Left[0].PID, exit.Left[0].Name, m.process.Output())
	case exit.Code == 0:
		return fmt.Errorf("the service ended with %s before it was ready; it must stay in the foreground, got %s", exit.Text, m.process.Output())
	}
	return fmt.Errorf("the service ended with %s before it was ready, got %s", exit.Text, m.process.Output())
}

// forkedAway is the error of a program that ended while a process that it had started went
// on listening on the port; empty means that none did, or that this cannot be seen.
func forkedAway(exit sut.Exit, port uint16) string {
	for _, d := range exit.Left {
		if d.ListensOn(port) {
			return fmt.Sprintf("the program that was started ended with %s, while process %d (%s), which it had started, went on listening on port %d and was ended: a service that moves to the background cannot be watched; have it stay in the foreground, in a shell without &", exit.Text, d.PID, d.Name, port)
		}
	}
	return ""
}

// findServing finds the process to watch: the one that listens, which a shell or another
// launcher may have started.
func (m *measurement) findServing() {
	h := m.service.http
	serving, others := m.process.Serving(h.port)
	if m.pid = serving.PID; m.pid != m.process.Started().PID {
		m.record.Descriptors.Process = serving.Name
	}
	if len(others) > 0 {
		m.warn("%d processes of the service listen on %s, and only one of them (%s) is watched: its descriptors follow from a share of the requests", len(others)+1, h.addr, serving.Name)
	}
	listening, known := serving.Listening, h.pod
	if !known {
		listening, known = probe.Listening(serving.PID)
	}
	if known && !h.among(listening) {
		m.warn("the process that is watched does not listen on %s, and neither does one that it started: the descriptors are not those of the service", h.addr)
	}
}

// warnUncounted warns about processes of the SUT that are neither the watched one nor
// those through which it was started.
func (m *measurement) warnUncounted() {
	all := m.process.Descendants()
	parents := map[int]int{}
	for _, d := range all {
		parents[d.PID] = d.Parent
	}
	launched := map[int]bool{} // the watched process, and through which others it was started
	for pid := m.pid; pid != 0 && !launched[pid]; pid = parents[pid] {
		launched[pid] = true
	}
	names, n := map[string]int{}, 0
	for _, d := range all {
		if !launched[d.PID] {
			names[d.Name]++
			n++
		}
	}
	if n == 0 {
		return
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		parts = append(parts, fmt.Sprintf("%s × %d", name, names[name]))
	}
	m.warn("descriptors of other processes that the program started are not counted: %s", strings.Join(parts, ", "))
}

// listensElsewhere names the addresses on which the program's processes listen, for an
// error, if that of the service is not among them; empty means that it is, or that they
// cannot be seen.
func (m *measurement) listensElsewhere() string {
	all := m.process.Listening()
	if len(all) == 0 || m.service.http.among(all) {
		return ""
	}
	return fmt.Sprintf("; it listens on %v", all)
}

// among reports whether one of the addresses has the port of the service.
func (h *httpService) among(all []netip.AddrPort) bool {
	return slices.ContainsFunc(all, func(a netip.AddrPort) bool { return a.Port() == h.port })
}

// awaitListening waits until a process of the container listens on the port of the
// service. The engine accepts connections to a published port before that.
func (m *measurement) awaitListening(ctx context.Context) error {
	ticker := time.NewTicker(sut.ReadyInterval)
	defer ticker.Stop()
	for !m.service.http.among(m.process.Listening()) {
		select {
		case <-m.process.Exited():
			return sut.ErrExited
		case <-ctx.Done():
			return fmt.Errorf("no process of the container listens on port %d", m.service.http.port)
		case <-ticker.C:
		}
	}
	return nil
}

// checkNetwork returns an error if other machines can reach a service in a container that
// is in the network of this machine, where it listens on the given addresses.
func checkNetwork(c scenarios.Container, listening []netip.AddrPort) error {
	for _, a := range listening {
		if c.Port == 0 && !a.Addr().Unmap().IsLoopback() {
			return fmt.Errorf("the service listens on %v, where other machines reach it, because its container is in the network of this machine; let it listen on {{addr}}, or give it a network of its own by sut.container.port", a)
		}
	}
	return nil
}

// checkPod returns an error if no other pod can reach a service that listens on the given
// addresses of its pod.
func (h *httpService) checkPod(listening []netip.AddrPort) error {
	loopback, reachable := false, false
	for _, a := range listening {
		if a.Port() == h.port {
			loopback = loopback || a.Addr().Unmap().IsLoopback()
			reachable = reachable || !a.Addr().Unmap().IsLoopback()
		}
	}
	told := h.values[scenarios.VariableAddr]
	if addr, err := netip.ParseAddrPort(told); err == nil && addr.Addr().IsLoopback() {
		reachable = true // the launcher has no network of its own
	}
	if loopback && !reachable {
		return fmt.Errorf("the service listens on port %d of the loopback interface of its pod, where its load generators cannot reach it; let it listen on {{addr}}, which is %s there", h.port, told)
	}
	return nil
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

// drainHTTP has an HTTP service end by SIGTERM, and records how long that took and how
// it ended. One that ignores it is killed by the trial.
func (h *serviceHost) drainHTTP(ctx context.Context) {
	if s := h.http.scraper; s != nil {
		metrics, warnings := s.result()
		h.series.Metrics = metrics
		h.m.record.Warnings = append(h.m.record.Warnings, warnings...)
	}
	if h.http.elsewhere {
		return
	}
	limit := time.Duration(h.trial.scenario.SUT.Timeout)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if h.http.pid > 0 { // it goes on; the next window begins when it has calmed down
		if n, err := h.m.sampler.WaitFor(h.m.record.Descriptors.Baseline, coolDown); err == nil && n > h.m.record.Descriptors.Baseline {
			h.m.warn("%d descriptors more than before are open %v after the load", n-h.m.record.Descriptors.Baseline, coolDown)
		}
		return
	}
	began := time.Now()
	switch err := h.m.process.Drain(ctx); {
	case ctx.Err() != nil && err != nil:
		h.m.warn("the service had not ended %v after SIGTERM (sut.timeout) and was killed", limit)
		return
	case err != nil:
		h.m.warn("%v", err)
		return
	}
	exit := h.m.process.Exit()
	took := max(0, exit.Ended.Sub(began)) // it may have ended by itself
	h.drained = &took
	if exit.Code > 0 {
		h.m.warn("the service ended with %s after SIGTERM", exit.Text)
	}
}

// coolDown bounds the wait until a service that goes on has closed what it opened.
const coolDown = 10 * time.Second

// observeInterval is the interval between samples of a service from outside.
const observeInterval = 100 * time.Millisecond

// observeHTTP samples the service from outside until the function that it returns
// is called.
func (h *serviceHost) observeHTTP() (stop func()) {
	began := time.Now()
	done, ended := make(chan struct{}), make(chan struct{})
	full := int64(0)
	h.series.Only() // those that can be seen from outside
	endScraping, disconnect := func() {}, func() {}
	if s := h.http.scraper; s != nil {
		endScraping, disconnect = s.start(began), s.transport.CloseIdleConnections
	}
	view := h.m.newEndpoints()
	env := h.m.trials.Environment
	// Of a service that runs already, or without an environment, the servers are unknown.
	servers := h.http.pid == 0 && len(env.UpstreamAddrs())+len(env.MongoAddrs()) > 0
	sample := func() {
		var seen Usage
		if !h.http.elsewhere {
			seen = h.observe()
			seen.NoFile = h.http.nofile
		}
		if !servers {
			seen.Kinds = nil
		}
		counted := view.sample()
		h.trial.mu.Lock()
		c := h.counts()
		k := sut.Tick{At: time.Since(began)}
		k.Arrived, k.Done, k.Failed, k.ReportsInFlight = c.Due, c.OK, c.Ended-c.OK, c.Due-c.Ended
		h.trial.mu.Unlock()
		values := map[results.Column]int64{
			results.ColumnArrived: int64(k.Arrived), results.ColumnDone: int64(k.Done), results.ColumnFailed: int64(k.Failed),
			results.ColumnReportsInFlight: int64(k.ReportsInFlight), results.ColumnPeakInFlight: int64(c.Peak),
		}
		if !h.http.elsewhere {
			if seen.Descriptors >= seen.NoFile {
				full++
			}
			values[results.ColumnRefused] = full
			seen.columns(values)
		}
		if counted != nil {
			values[results.ColumnClients], values[results.ColumnOwnDescriptors] = counted.clients, counted.own
			if h.trial.feed != nil {
				seen.Endpoints = view.largest()
			}
		}
		h.note(k, values)
		h.publish(k, seen)
	}
	go func() {
		defer close(ended)
		ticker := time.NewTicker(observeInterval)
		defer ticker.Stop()
		for {
			sample()
			select {
			case <-ticker.C:
			case <-done:
				sample() // the connections that stay open
				return
			}
		}
	}()
	return func() {
		endScraping()
		close(done)
		<-ended
		h.m.record.Descriptors.Endpoints = view.close()
		disconnect() // after the last sample, in which it is one of the clients as before
		if h.http.pid > 0 {
			h.m.record.Descriptors.Limit = h.http.nofile
		}
	}
}

// endpoints samples the connections of a service.
type endpoints struct {
	inspector inspector // nil means that they cannot be seen
	groups    map[string]*results.Endpoint
	next      time.Time // of the next sample
	last      counted
}

// counted holds the counts of one sample of the endpoints.
type counted struct {
	clients int64 // accepted and established connections, in the last sample
	own     int64 // descriptors but accepted connections; zero means not sampled this time
}

// samplingShare is how many times longer the pause after a sample is than the sample took.
const samplingShare = 20

// inspector looks at the descriptors of a process.
type inspector interface {
	Descriptors() (*probe.Descriptors, error)
}

func (m *measurement) newEndpoints() *endpoints {
	e := &endpoints{groups: map[string]*results.Endpoint{}}
	if remote, isRemote := m.sampler.(*probe.Remote); isRemote {
		e.inspector = remote
	} else if here, err := probe.Inspect(m.pid); err == nil { // the error means another system or process
		e.inspector = here
	}
	return e
}

// sample counts the groups of connections, unless that was costly a moment ago; nil means
// that they cannot be seen.
func (e *endpoints) sample() *counted {
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
	e.next = time.Now().Add(samplingShare * d.Cost)
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

// largest returns the groups of the last sample, the largest first.
func (e *endpoints) largest() []results.Endpoint {
	all := make([]results.Endpoint, 0, len(e.groups))
	for _, g := range e.groups {
		if g.Last > 0 {
			all = append(all, *g)
		}
	}
	slices.SortFunc(all, func(a, b results.Endpoint) int {
		return cmp.Or(cmp.Compare(b.Last, a.Last), cmp.Compare(a.Name, b.Name))
	})
	return all[:min(len(all), maxEndpoints)]
}

// close takes the last sample and returns the groups, those that grew most first.
func (e *endpoints) close() []results.Endpoint {
	if e.inspector == nil {
		return nil
	}
	e.next = time.Time{}
	e.sample()
	if here, isHere := e.inspector.(io.Closer); isHere {
		_ = here.Close() // it only read
	}
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
func (s Usage) columns(values map[results.Column]int64) {
	values[results.ColumnDescriptors], values[results.ColumnThreads], values[results.ColumnRSS] = int64(s.Descriptors), int64(s.Threads), s.RSS
	if k := s.Kinds; k != nil {
		values[results.ColumnDescriptorsUpstream], values[results.ColumnDescriptorsMongo], values[results.ColumnDescriptorsOther] = int64(k.Upstream), int64(k.Mongo), int64(k.Others())
	}
}
