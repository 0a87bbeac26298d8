package experiment

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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
