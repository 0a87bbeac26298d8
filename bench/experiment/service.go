package experiment

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/load"
	"floodgate/results"
	"floodgate/scenarios"
)

// serviceTrial conducts a trial in which the SUT serves reports, on one host or several:
//
//	serve | the load begins … its last request has ended | recover | drain
//
// At each bar all hosts wait for the last one. Request k of the load goes to host k mod the
// number of hosts.
type serviceTrial struct {
	trials   *Trials
	planned  ScheduledTrial // with the limits of all hosts together
	record   *results.Trial
	scenario *scenarios.Scenario
	hosts    []*serviceHost
	requests *requests // nil means the built-in service
	// generators are the load generators; nil means one.
	generators *generators

	mu       sync.Mutex
	recorder *load.Recorder
	early    early
	reports  []reportState           // by number
	sent     uint64                  // the number after the highest that was sent, including those after the load
	stopLoad context.CancelCauseFunc // ends the load; nil before it
	feed     *feed                   // nil without Trials.Live
	recent   *feed                   // the latencies that profiles are taken at; nil without profiles
	traces   *requestTraces          // nil means that requests are not traced
	attacks  []*vegeta.Result        // to be saved
	stacks   string                  // those of the first host that stalled
}

// reportState is what became of a report.
type reportState byte

const (
	reportUnsent reportState = iota
	reportSent
	reportDone
)

// newServiceTrial returns the trial of a service on a number of hosts, each of which calls
// addHost.
func newServiceTrial(r *Trials, planned ScheduledTrial, record *results.Trial, hosts int) *serviceTrial {
	t := &serviceTrial{
		trials: r, planned: planned, record: record, scenario: planned.Level.Scenario,
		hosts: make([]*serviceHost, hosts), recorder: load.NewRecorder(),
	}
	if s := t.scenario; s.IsHTTPService() {
		t.requests = &requests{scenario: s, values: r.variables(s, planned.Variant), items: requestItems(s)}
		if kinds := s.RequestKinds(); kinds.Names != nil {
			t.recorder.SplitBy(kinds.Names, kinds.Of)
		}
	}
	if r.Live != nil {
		t.feed = newFeed()
	}
	if r.Profiling != nil {
		t.recent = newFeed()
	}
	if r.Tracing != nil {
		t.traces = newRequestTraces(r.traceSpec(planned, record.Started))
	}
	return t
}

// addHost returns the host of a measurement.
func (t *serviceTrial) addHost(m *measurement) *serviceHost {
	h := &serviceHost{trial: t, m: m}
	if len(t.hosts) > 1 {
		h.recorder = load.NewRecorder()
	}
	t.hosts[m.part.host] = h
	return h
}

// hostOf returns the host that gets the request of a number.
func (t *serviceTrial) hostOf(n uint64) *serviceHost { return t.hosts[n%uint64(len(t.hosts))] }

// run has all hosts serve, loads them, sees whether they recover, and drains them.
func (t *serviceTrial) run(ctx context.Context) failedHost {
	if t.requests != nil {
		if err := t.requests.try(); err != nil { // before the load, whose requests cannot fail so
			return failedHost{-1, results.OutcomeFailed, err}
		}
	}
	stop, err := t.startGenerators(ctx)
	if err != nil {
		return failedHost{-1, startFailure(err), err}
	}
	defer stop()
	if failed := t.each(ctx, (*serviceHost).serve); failed.err != nil {
		return failed
	}
	if err := t.prepareGenerators(); err != nil {
		return failedHost{-1, results.OutcomeFailed, err}
	}
	if failed := t.loadAndRecover(ctx); failed.err != nil {
		return failed
	}
	if failed := t.each(ctx, (*serviceHost).drain); failed.err != nil {
		return failed
	}
	if t.record.Service, err = t.result(); err != nil {
		return failedHost{-1, results.OutcomeFailed, err}
	}
	if t.trials.ignoreLag {
		return failedHost{host: -1}
	}
	outcome, err := checkGenerators(t.record.Service, time.Duration(t.scenario.Service.Duration))
	return failedHost{-1, outcome, err}
}

// each runs a phase of all hosts at once. The first error ends it for the others.
func (t *serviceTrial) each(ctx context.Context, phase func(*serviceHost, context.Context) (string, error)) failedHost {
	all := make([]*measurement, len(t.hosts))
	for i, h := range t.hosts {
		all[i] = h.m
	}
	return each(ctx, all, func(m *measurement, ctx context.Context) (string, error) { return phase(m.service, ctx) })
}

// endedHostError is the cause of the end of a load: a host has ended.
type endedHostError struct{ host int }

func (e *endedHostError) Error() string { return fmt.Sprintf("host %d has ended", e.host+1) }

// loadAndRecover sends the load and then requests until each host has completed one. The
// first host that ends meanwhile ends both.
func (t *serviceTrial) loadAndRecover(ctx context.Context) failedHost {
	alive, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for i, h := range t.hosts {
		defer context.AfterFunc(exitedContext(h.m.process.Exited()), func() { stop(&endedHostError{i}) })()
	}
	observed := t.observe()
	err := t.load(alive)
	if err == nil {
		t.awaitRecovery(alive)
	}
	for _, h := range t.hosts {
		h.m.stopProfiles()
	}
	observed()
	if ended := new(endedHostError); errors.As(context.Cause(alive), &ended) {
		outcome, err := t.hosts[ended.host].ended(ctx)
		return failedHost{ended.host, outcome, err}
	}
	if err != nil {
		return failedHost{-1, notLoaded(err), err}
	}
	return failedHost{host: -1}
}

// observe samples the hosts that are seen from outside alone, until the function that it
// returns is called.
func (t *serviceTrial) observe() (stop func()) {
	if t.requests == nil {
		return func() {}
	}
	var stops []func()
	for _, h := range t.hosts {
		stops = append(stops, h.observeHTTP())
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// load sends the reports and waits until all have ended or a host has stalled.
func (t *serviceTrial) load(ctx context.Context) error {
	loaded, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	t.mu.Lock()
	t.stopLoad = stop
	t.mu.Unlock()
	// Request the stacks at once: later, the reports in flight have timed out, and the
	// stacks do not show what they waited for.
	stacks := make(chan string, 1)
	completed := context.AfterFunc(loaded, func() { stacks <- t.requestStacks(ctx) })
	o := t.spec(0).options()
	o.Body = t.body
	o.Due = func(d load.Due) { t.due(0, d) }
	o.Ended = func(e load.Ended) { t.ended(0, e) }
	if t.trials.SaveVegeta != nil {
		o.Keep = t.keep
	}
	if t.requests != nil {
		o.Request = func(n uint64) load.Request {
			t.count(n)
			r, _ := t.requests.request(n) // each kind was made before
			return r
		}
		o.Dial, o.TLS = t.hosts[0].http.targets.DialContext, t.hosts[0].http.tls
	}
	err := t.attack(loaded, o)
	if !completed() {
		t.stacks = <-stacks
	}
	if errors.Is(err, errStalled) {
		return nil
	}
	return err
}

// save passes on vegeta's results.
func (t *serviceTrial) save(to func(*vegeta.Result) error) error {
	for _, r := range t.attacks {
		if err := to(r); err != nil {
			return fmt.Errorf("save vegeta's results: %w", err)
		}
	}
	return nil
}

// MeanRate returns the mean number of requests per second that a service gets.
func MeanRate(s scenarios.Service) float64 {
	over := time.Duration(s.Duration)
	return rateOf(s.Arrivals, over).Arrivals(over) / over.Seconds()
}

func rateOf(a scenarios.Arrivals, over time.Duration) load.Rate {
	switch a.Pattern {
	case "linear":
		return load.Linear{From: a.Rate, To: a.To, Over: over}
	case "steps":
		var steps load.Steps
		for _, s := range a.Steps {
			steps = append(steps, load.Step{Rate: s.Rate, For: time.Duration(s.For)})
		}
		return steps
	case "sine":
		return load.Sine{Mean: a.Rate, Amplitude: a.Amplitude, Period: time.Duration(a.Period)}
	}
	return load.Constant(a.Rate)
}

func (t *serviceTrial) body(n uint64) []byte {
	t.count(n)
	return reportBody(t.scenario, n)
}

// count notes that the report of number n is sent.
func (t *serviceTrial) count(n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = max(t.sent, n+1)
	t.mark(n, reportSent)
}

// mark records what became of a report. The caller holds the lock.
func (t *serviceTrial) mark(report uint64, is reportState) {
	for uint64(len(t.reports)) <= report {
		t.reports = append(t.reports, reportUnsent)
	}
	t.reports[report] = max(t.reports[report], is)
}

// awaitRecovery sends reports until one completes on each host, in time after the load.
func (t *serviceTrial) awaitRecovery(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(t.scenario.Service.Recovery))
	defer cancel()
	t.mu.Lock()
	next := t.sent
	t.mu.Unlock()
	var group sync.WaitGroup
	for _, h := range t.hosts {
		group.Go(func() { h.recovered = h.recovers(ctx, next) })
	}
	group.Wait()
}

// result returns the record of the whole service, with the time series of the first host.
func (t *serviceTrial) result() (*results.Service, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, err := t.recorder.Summary()
	if err != nil {
		return nil, err
	}
	if r.Generators, err = t.generators.result(); err != nil {
		return nil, err
	}
	if w := t.hosts[0].m.record.Warmup; w != nil {
		w.Early = t.early.means()
	}
	r.Recovered, r.Goroutines, r.Series = true, t.stacks, t.hosts[0].series.Series
	for i, h := range t.hosts {
		r.Recovered = r.Recovered && h.recovered
		if s := h.progress.stalled; s != nil && (r.Stalled == nil || *s < *r.Stalled) {
			r.Stalled = s
		}
		if d := h.drained; d == nil || i == 0 {
			r.Drain = d
		} else if r.Drain != nil {
			r.Drain = new(max(*r.Drain, *d))
		}
	}
	return r, nil
}

// stalled returns the host that stalled first with the reason, or none.
func (t *serviceTrial) stalled() (host *serviceHost, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range t.hosts {
		if s := h.progress.stalled; s != nil && (host == nil || *s < *host.progress.stalled) {
			host = h
		}
	}
	if host == nil {
		return nil, ""
	}
	return host, fmt.Sprintf("no %s in flight was completed for %v (service.stall), at %.1f s", t.scenario.Service.Unit(),
		time.Duration(t.scenario.Service.Stall), host.progress.stalled.Seconds()) + host.progress.shortage
}

// items returns the items of all reports that were sent, and the keys of those whose
// report did not complete.
func (t *serviceTrial) items() (all [][]string, failed []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n, is := range t.reports {
		if is == reportUnsent {
			continue
		}
		args := t.scenario.ReportArgs(uint64(n))
		all = append(all, args...)
		if is == reportDone {
			continue
		}
		for _, a := range args {
			failed = append(failed, itemKey(a))
		}
	}
	return all, failed
}
