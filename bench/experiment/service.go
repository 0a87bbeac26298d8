package experiment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/load"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
)

// serviceTrial conducts a trial in which the SUT serves reports.
type serviceTrial struct {
	m        *measurement
	scenario *scenarios.Scenario
	base     string       // the URL of the service without a path
	inside   string       // that for load generators in its own network; empty means base
	http     *httpService // nil means the built-in service
	// generators are the load generators; nil means one.
	generators *generators

	mu       sync.Mutex
	recorder *load.Recorder
	early    early
	done     []bool // by report: whether it completed
	sent     uint64 // number of reports sent, including those after the load
	series   results.Sampling
	progress progress
	stopLoad context.CancelCauseFunc // ends the load; nil before it
	feed     *feed                   // nil without Trials.Live
	attacks  []*vegeta.Result        // to be saved
	stacks   string                  // those of the SUT when it stalled
}

func newServiceTrial(m *measurement) *serviceTrial {
	t := &serviceTrial{m: m, scenario: m.planned.Level.Scenario, recorder: load.NewRecorder()}
	if m.trials.Live != nil {
		t.feed = newFeed()
	}
	return t
}

// run sends "go", loads the service, tests whether it recovers, and drains it.
func (t *serviceTrial) run(ctx context.Context) (outcome string, err error) {
	stop, err := t.startGenerators(ctx)
	if err != nil {
		return startFailure(err), err
	}
	defer stop()
	if err := t.m.process.Send(ctx, sut.Message{Type: sut.TypeGo}); err != nil {
		return t.m.failure(ctx, err)
	}
	bounded, cancel := context.WithTimeout(ctx, t.scenario.SUT.MaxReady())
	defer cancel()
	serving, err := t.m.process.Await(bounded, sut.TypeServing)
	if err != nil {
		return t.m.failure(ctx, fmt.Errorf("wait until the SUT serves: %w", err))
	}
	if err := t.reach(serving.Addr); err != nil {
		return results.OutcomeFailed, err
	}
	if err := t.prepareGenerators(); err != nil {
		return results.OutcomeFailed, err
	}
	if err := t.load(ctx); err != nil {
		return notLoaded(err), err
	}
	recovered := t.recovered(ctx)
	bounded, cancel = context.WithTimeout(ctx, time.Duration(t.scenario.SUT.Timeout))
	defer cancel()
	if err := t.m.process.Send(bounded, sut.Message{Type: sut.TypeDrain}); err != nil {
		return t.m.failure(ctx, err)
	}
	done, err := t.m.process.Await(bounded, sut.TypeDone)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return results.OutcomeTimeout, fmt.Errorf("the SUT had not drained after %v (sut.timeout) and was killed", time.Duration(t.scenario.SUT.Timeout))
	case err != nil:
		return t.m.failure(ctx, err)
	}
	if done.Report != nil {
		t.m.report = *done.Report
	}
	t.m.record.Service, err = t.result(recovered)
	if err != nil {
		return results.OutcomeFailed, err
	}
	t.m.record.Service.Goroutines = t.stacks
	if t.m.trials.ignoreLag {
		return "", nil
	}
	return checkGenerators(t.m.record.Service, time.Duration(t.scenario.Service.Duration))
}

// reach finds the way to the built-in service, which listens on an address where it runs.
func (t *serviceTrial) reach(addr string) error {
	listens, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("the SUT serves on an address that is none: %w", err)
	}
	inside, here, elsewhere, err := t.m.process.Forward(listens.Port())
	if err != nil {
		return err
	}
	t.base = "http://" + addr
	if elsewhere {
		t.base, t.inside = "http://"+here.String(), "http://"+inside.String()
	}
	return nil
}

// load sends the reports and waits until all have ended or the service has stalled.
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
	if t.m.trials.SaveVegeta != nil {
		o.Keep = t.keep
	}
	if t.http != nil {
		o.Request = func(n uint64) load.Request {
			t.count(n)
			r, _ := t.http.request(n) // each kind was made before
			return r
		}
		o.Dial, o.TLS = t.http.targets.DialContext, t.http.tls
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
}

// mark records whether a report completed. The caller holds the lock.
func (t *serviceTrial) mark(report uint64, done bool) {
	for uint64(len(t.done)) <= report {
		t.done = append(t.done, false)
	}
	t.done[report] = done
}

// recovered reports whether a report completes in time after the load.
func (t *serviceTrial) recovered(ctx context.Context) bool {
	t.mu.Lock()
	n := t.sent
	t.mu.Unlock()
	deadline := time.Now().Add(time.Duration(t.scenario.Service.Recovery))
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for ; ; n++ {
		ok := t.post(ctx, n)
		t.mu.Lock()
		t.mark(n, ok)
		t.mu.Unlock()
		if ok || ctx.Err() != nil {
			return ok
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
}

// post sends the report of number n and reports whether it was done.
func (t *serviceTrial) post(ctx context.Context, n uint64) bool {
	r := load.Request{Method: http.MethodPost, URL: t.base + reportsPath}
	transport, done := &http.Transport{DisableKeepAlives: true}, t.scenario.Service.Done
	if t.http == nil {
		r.Body = t.body(n)
		done = func(status int) bool { return status == http.StatusOK }
	} else {
		r, _ = t.http.request(n)
		transport.TLSClientConfig, transport.DialContext = t.http.tls, t.http.targets.DialContext
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return false
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return done(resp.StatusCode)
}

// tick adds the SUT's tick and its state from outside to the time series.
func (t *serviceTrial) tick(k sut.Tick) {
	values := map[results.Column]int64{
		results.ColumnArrived: int64(k.Arrived), results.ColumnShed: int64(k.Shed), results.ColumnDone: int64(k.Done), results.ColumnFailed: int64(k.Failed),
		results.ColumnReportsInFlight: int64(k.ReportsInFlight), results.ColumnItemsOutstanding: int64(k.Outstanding),
		results.ColumnItemsFetching: int64(k.Fetching), results.ColumnItemsWriting: int64(k.Writing),
		results.ColumnSlotsInUse: int64(k.SlotsInUse), results.ColumnSlotLimit: int64(k.SlotLimit), results.ColumnGoroutines: int64(k.Goroutines),
		results.ColumnUpstreamConnecting: int64(k.UpstreamConnecting), results.ColumnUpstreamOpen: int64(k.UpstreamOpen),
		results.ColumnMongoConnecting: int64(k.MongoConnecting), results.ColumnMongoOpen: int64(k.MongoOpen),
		results.ColumnMongoInUse: int64(k.MongoInUse), results.ColumnMongoIdle: int64(k.MongoIdle), results.ColumnAccepted: int64(k.Accepted),
	}
	for name, n := range k.Errors {
		values[results.ColumnErrors] += int64(n)
		values[results.ErrorColumn(name)] += int64(n)
	}
	for side, n := range k.Exhausted {
		values[results.ColumnRefused] += int64(n)
		values[results.RefusedAt(side)] = int64(n)
	}
	seen := t.observe()
	seen.columns(values)
	t.note(k, values)
	t.publish(k, seen)
}

// note adds a sample to the time series, and checks for a stall.
func (t *serviceTrial) note(k sut.Tick, values map[results.Column]int64) {
	t.mu.Lock()
	t.series.Add(k.At, values)
	t.checkStall(k, values)
	t.mu.Unlock()
}

func (t *serviceTrial) result(recovered bool) (*results.Service, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, err := t.recorder.Summary()
	if err != nil {
		return nil, err
	}
	if r.Generators, err = t.generators.result(); err != nil {
		return nil, err
	}
	if w := t.m.record.Warmup; w != nil {
		w.Early = t.early.means()
	}
	r.Stalled, r.Recovered, r.Series = t.progress.stalled, recovered, t.series.Series
	return r, nil
}

// items returns the items of all reports that were sent, and the keys of those whose
// report did not complete.
func (t *serviceTrial) items() (all [][]string, failed []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range t.sent {
		args := t.scenario.ReportArgs(n)
		all = append(all, args...)
		if n < uint64(len(t.done)) && t.done[n] {
			continue
		}
		for _, a := range args {
			failed = append(failed, itemKey(a))
		}
	}
	return all, failed
}
