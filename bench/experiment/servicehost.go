package experiment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"floodgate/bench/load"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/results/trace"
)

// serviceHost is one SUT process of a service's trial.
type serviceHost struct {
	trial  *serviceTrial
	m      *measurement
	base   string       // its URL without a path
	inside string       // that for load generators in its own network; empty means base
	http   *httpService // nil means the built-in service

	recovered bool
	drained   *time.Duration // from SIGTERM to its end; nil means unknown

	// The trial's lock guards what follows.

	recorder *load.Recorder // of its requests; nil means that those of the trial are
	series   results.Sampling
	progress progress
	last     sut.Tick // the last one
	seen     Usage    // at the last tick
}

// serve waits until the host serves, and finds the way to it.
func (h *serviceHost) serve(ctx context.Context) (outcome string, err error) {
	if h.http != nil { // it was awaited before the trial
		h.base = h.http.url("")
		return "", nil
	}
	if err := h.m.process.Send(ctx, sut.Message{Type: sut.TypeGo}); err != nil {
		return h.m.failure(ctx, err)
	}
	bounded, cancel := context.WithTimeout(ctx, h.trial.scenario.SUT.MaxReady())
	defer cancel()
	serving, err := h.m.process.Await(bounded, sut.TypeServing)
	if err != nil {
		return h.m.failure(ctx, fmt.Errorf("wait until the SUT serves: %w", err))
	}
	if err := h.reach(serving.Addr); err != nil {
		return results.OutcomeFailed, err
	}
	return "", nil
}

// reach finds the way to the built-in service, which listens on an address where it runs.
func (h *serviceHost) reach(addr string) error {
	listens, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("the SUT serves on an address that is none: %w", err)
	}
	inside, here, elsewhere, err := h.m.process.Forward(listens.Port())
	if err != nil {
		return err
	}
	h.base = "http://" + addr
	if elsewhere {
		h.base, h.inside = "http://"+here.String(), "http://"+inside.String()
	}
	return nil
}

// generatorBase returns the URL of the host for load generators.
func (h *serviceHost) generatorBase() string {
	if h.inside != "" {
		return h.inside
	}
	return h.base
}

// ended returns the outcome and the error of a host that ended under load.
func (h *serviceHost) ended(ctx context.Context) (outcome string, err error) {
	if h.http == nil {
		return h.m.failure(ctx, sut.ErrExited)
	}
	if forked := forkedAway(h.m.process.Exit(), h.http.port); forked != "" {
		h.m.record.NotReady = true // no later trial can go better
		return results.OutcomeCrashed, errors.New(forked)
	}
	return results.OutcomeCrashed, fmt.Errorf("the service ended with %s under load", h.m.process.Exit().Text)
}

// drain has the host end its work.
func (h *serviceHost) drain(ctx context.Context) (outcome string, err error) {
	if h.http != nil {
		h.m.warnUncounted()
		h.drainHTTP(ctx)
		return "", nil
	}
	limit := time.Duration(h.trial.scenario.SUT.Timeout)
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := h.m.process.Send(bounded, sut.Message{Type: sut.TypeDrain}); err != nil {
		return h.m.failure(ctx, err)
	}
	done, err := h.m.process.Await(bounded, sut.TypeDone)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return results.OutcomeTimeout, fmt.Errorf("the SUT had not drained after %v (sut.timeout) and was killed", limit)
	case err != nil:
		return h.m.failure(ctx, err)
	}
	if done.Report != nil {
		h.m.report = *done.Report
	}
	return "", nil
}

// firstFrom returns the first number from n on of a request that goes to the host.
func (h *serviceHost) firstFrom(n uint64) uint64 {
	hosts := uint64(len(h.trial.hosts))
	return n + (uint64(h.m.part.host)+hosts-n%hosts)%hosts
}

// recovers reports whether one of its reports from a number on completes before ctx ends.
func (h *serviceHost) recovers(ctx context.Context, from uint64) bool {
	for n := h.firstFrom(from); ; n += uint64(len(h.trial.hosts)) {
		ok := h.post(ctx, n)
		if ok {
			h.trial.mu.Lock()
			h.trial.mark(n, reportDone)
			h.trial.mu.Unlock()
		}
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

// post sends its report of number n and reports whether it was done.
func (h *serviceHost) post(ctx context.Context, n uint64) bool {
	r := load.Request{Method: http.MethodPost, URL: h.base + reportsPath}
	transport, done := &http.Transport{DisableKeepAlives: true}, h.trial.scenario.Service.Done
	if h.http == nil {
		r.Body = h.trial.body(n)
		done = func(status int) bool { return status == http.StatusOK }
	} else {
		r, _ = h.trial.requests.relative(n) // each kind was made before
		r.URL = h.http.url(r.URL)
		transport.TLSClientConfig, transport.DialContext = h.http.tls, h.http.targets.DialContext
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return false
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	if h.trial.traces != nil {
		req.Header.Set(trace.Header, requestParent(h.trial.traces.spec)(n))
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return done(resp.StatusCode)
}

// tick adds the SUT's tick and its state from outside to the time series.
func (h *serviceHost) tick(k sut.Tick) {
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
	seen := h.observe()
	seen.columns(values)
	h.note(k, values)
	h.publish(k, seen)
}

// note adds a sample to the time series, and checks for a stall.
func (h *serviceHost) note(k sut.Tick, values map[results.Column]int64) {
	h.trial.mu.Lock()
	defer h.trial.mu.Unlock()
	h.series.Add(k.At, values)
	h.checkStall(k, values)
}

// result returns the record of its part of the load.
func (h *serviceHost) result() (*results.HostService, error) {
	h.trial.mu.Lock()
	defer h.trial.mu.Unlock()
	s, err := h.recorder.Summary()
	if err != nil {
		return nil, err
	}
	shed, _ := h.series.Last(results.ColumnShed)
	return &results.HostService{
		Shed: int(shed),
		Due:  s.Due, Ended: s.Ended, Dropped: s.Dropped, OK: s.OK, Errors: s.Errors, Peak: h.recorder.Counts().Peak,
		Response: s.Response, Accepted: s.Accepted, ServiceTime: s.ServiceTime,
		Stalled: h.progress.stalled, Drain: h.drained, Recovered: h.recovered,
	}, nil
}

// timeSeries returns its time series so far.
func (h *serviceHost) timeSeries() results.Series {
	h.trial.mu.Lock()
	defer h.trial.mu.Unlock()
	return h.series.Series
}

// counts returns those of its requests. The caller holds the trial's lock.
func (h *serviceHost) counts() load.Counts {
	if h.recorder == nil {
		return h.trial.recorder.Counts()
	}
	return h.recorder.Counts()
}
