package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"floodgate/bench/internal/noproxy"
	"floodgate/mockupstream"
	"floodgate/results"
)

// verifyTimeout bounds the questions to upstream and database after a trial.
const verifyTimeout = 60 * time.Second

// verify asks the upstream and the database what they saw of the trial.
func (r *Trials) verify(ctx context.Context, t PlannedTrial, record *results.Trial, m *measurement) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	if died := r.Environment.Died(); len(died) > 0 {
		// Whatever became of the SUT, this is why.
		if record.Outcome != results.OutcomeOK {
			died = append(died, record.Outcome+": "+record.Reason)
			record.Outcome = ""
		}
		fail(record, results.OutcomeFailed, errors.New(strings.Join(died, "; ")))
		return
	}
	mock := r.Environment.Mock()
	if mock {
		if stats, err := r.Environment.UpstreamStats(ctx); err != nil {
			fail(record, results.OutcomeFailed, fmt.Errorf("ask the upstream: %w", err))
		} else {
			upstreamSaw(record, stats)
			unseen(record, t, m, noproxy.Variable(os.Environ()))
			defer func() { record.Overrun = overrun(t, record, int(stats.Disconnected)) }() // once the documents are known
		}
	}
	if !mock && refusedAll(*record) {
		fail(record, results.OutcomeFailed, errors.New("the upstream refused every connection: "+record.Errors[0].Sample))
	}
	switch {
	case r.Unwritten:
		return
	case !mock && t.Level.Scenario.Database.Documents == "per-record":
		record.Warnings = append(record.Warnings, "documents not checked: nobody knows how many records an upstream that is not ours answers with")
		return
	}
	unfinished := record.Outcome == results.OutcomeCrashed || record.Outcome == results.OutcomeTimeout || record.Outcome == results.OutcomeFailed
	items, failed := t.Level.Scenario.ItemArgs(), []string(nil)
	switch {
	case m == nil:
	case m.service != nil:
		items, failed = m.service.items()
	default:
		failed = m.report.Failed
	}
	e := newExpectation(t.Level.Scenario, t.Seed, items, failed, unfinished)
	e.unknown = !mock
	docs, err := e.check(ctx, r.Environment, r.Database, collection(t.Index))
	if err != nil {
		fail(record, results.OutcomeFailed, err)
		return
	}
	record.Documents = docs
	if err := r.Environment.DropCollection(ctx, r.Database, collection(t.Index)); err != nil {
		record.Warnings = append(record.Warnings, fmt.Sprintf("drop %s: %v", collection(t.Index), err))
	}
}

// unseen marks a trial whose upstream saw no request: as failed where a program
// of the user's failed all items, which then says nothing about its limit, and else
// with a warning. Items that failed for want of descriptors or ports explain it.
func unseen(record *results.Trial, t PlannedTrial, m *measurement, proxy string) {
	foreign := len(t.Level.Scenario.SUT.Command) > 0
	if record.Upstream.Requests > 0 || m == nil || m.idle() || record.ErrorsOf("emfile")+record.ErrorsOf("ports") > 0 ||
		record.Outcome != results.OutcomeOK && !foreign {
		return
	}
	uses := "a proxy"
	if proxy != "" {
		uses = fmt.Sprintf("a proxy (%s is set) although NO_PROXY names 127.0.0.1", proxy)
	}
	hint := fmt.Sprintf("does the program use %s, or an address other than upstream.url of its specification?", uses)
	if foreign && record.Outcome == results.OutcomeOK && m.allFailed() {
		fail(record, results.OutcomeFailed, fmt.Errorf("the upstream saw no request, and all items failed: %s", hint))
		return
	}
	m.warn("the upstream saw no request: %s", hint)
}

// idle reports whether there was nothing to be fetched.
func (m *measurement) idle() bool {
	if m.service != nil {
		return m.record.Service != nil && m.record.Service.Due == 0
	}
	return m.record.Items == 0
}

// allFailed reports whether no item was done, by the SUT's own account or, of a
// service, by its answers.
func (m *measurement) allFailed() bool {
	if m.service != nil {
		return m.record.Service != nil && m.record.Service.OK == 0
	}
	if n := m.record.ItemsFailed; n != nil && *n >= m.record.Items {
		return true
	}
	failed := make(map[string]bool)
	for _, item := range m.report.Failed {
		failed[item] = true
	}
	return len(failed) >= m.record.Items
}

// upstreamSaw copies the upstream's figures; a trial whose upstream could not
// keep its own delays is no measurement.
func upstreamSaw(record *results.Trial, s mockupstream.Stats) {
	record.Upstream = &results.UpstreamStats{
		Requests: int(s.Requests), PeakInFlight: int(s.PeakInFlight), PeakConns: int(s.PeakConnections),
		Connections: int(s.Accepted), Repeated: int(s.Repeated),
		LateMedian: time.Duration(s.LateMedianNS), LateP99: time.Duration(s.LateP99NS), Saturated: s.Saturated,
	}
	if s.Saturated {
		fail(record, results.OutcomeInvalid, fmt.Errorf("the mock upstream was too slow: %s", s.Reason))
	}
}
