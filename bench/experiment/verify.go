package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"floodgate/bench/environment/upstreamproxy"
	"floodgate/bench/internal/noproxy"
	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline/calllog"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// verifyTimeout bounds the checks of upstream and database after a trial.
const verifyTimeout = 60 * time.Second

// verify adds the upstream's statistics and the checked documents to the record.
func (r *Trials) verify(ctx context.Context, t ScheduledTrial, record *results.Trial, a *attempt) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	mock := r.Environment.Mock()
	if mock {
		if stats, err := r.Environment.UpstreamStats(ctx); err != nil {
			fail(record, results.OutcomeFailed, fmt.Errorf("ask the upstream: %w", err))
		} else {
			recordUpstream(record, stats)
			checkRequests(record, t, a, noproxy.Variable(os.Environ()))
			defer func() { record.Overrun = overrun(t, record, int(stats.Disconnected)) }() // overrun needs the checked documents
		}
	}
	if !mock {
		switch stats, err := r.Environment.ProxyStats(ctx); {
		case err != nil:
			fail(record, results.OutcomeFailed, err)
		case stats != nil:
			recordProxied(record, stats)
			checkRequests(record, t, a, noproxy.Variable(os.Environ()))
			defer func() { record.Overrun = overrun(t, record, stats.Abandoned) }() // overrun needs the checked documents
		}
	}
	if !mock && refusedAll(*record) {
		fail(record, results.OutcomeFailed, errors.New("the upstream refused every connection: "+record.Errors[0].Sample))
	}
	switch {
	case t.Level.Scenario.Database.Documents == scenarios.DocumentsNone:
		record.NoDocuments = true
		return
	case r.Unwritten || t.Level.Scenario.IsHTTPService(): // nothing is written that is known
		return
	case !mock && t.Level.Scenario.Database.Documents == "per-record":
		record.Warnings = append(record.Warnings, "documents were not checked: the content of an external upstream is unknown")
		return
	}
	unfinished := record.Outcome == results.OutcomeCrashed || record.Outcome == results.OutcomeTimeout || record.Outcome == results.OutcomeFailed
	items, failed := t.itemArgs(), []string(nil)
	switch {
	case a == nil:
	case a.service != nil:
		items, failed = a.service.items()
	default:
		failed = a.failed
	}
	e := newExpectation(t.Level.Scenario, t.Seed, items, failed, unfinished)
	e.anyContent = !mock
	docs, err := e.check(ctx, r.Environment, r.Database, collection(t.Index))
	if err != nil {
		fail(record, results.OutcomeFailed, err)
		return
	}
	record.Documents = docs
	if e.example != "" {
		record.Warnings = append(record.Warnings, "the first wrong document: "+e.example)
	}
	if err := r.Environment.DropCollection(ctx, r.Database, collection(t.Index)); err != nil {
		record.Warnings = append(record.Warnings, fmt.Sprintf("drop %s: %v", collection(t.Index), err))
	}
}

// checkRequests marks a trial whose upstream saw no request. The trial fails if another
// program failed all items, because it says nothing about the program's limit;
// otherwise it has a warning. A lack of descriptors or ports is a sufficient explanation.
func checkRequests(record *results.Trial, t ScheduledTrial, a *attempt, proxy string) {
	if s := t.Level.Scenario; s.IsHTTPService() && !s.Uses(scenarios.VariableUpstreamURL) {
		return
	}
	foreign := t.Level.Scenario.SUT.OwnProgram()
	if record.Upstream.Requests > 0 || a == nil || a.idle() || record.ErrorsOf("emfile")+record.ErrorsOf("ports") > 0 ||
		record.Outcome != results.OutcomeOK && !foreign {
		return
	}
	uses := "a proxy"
	if proxy != "" {
		uses = fmt.Sprintf("a proxy (%s is set) although NO_PROXY names 127.0.0.1", proxy)
	}
	hint := fmt.Sprintf("does the program use %s, or an address other than upstream.url of its specification?", uses)
	if foreign && record.Outcome == results.OutcomeOK && a.allFailed() {
		fail(record, results.OutcomeFailed, fmt.Errorf("the upstream saw no request, and all items failed: %s", hint))
		return
	}
	record.Warnings = append(record.Warnings, "the upstream saw no request: "+hint)
}

// idle reports whether the trial had no items.
func (a *attempt) idle() bool {
	if a.service != nil {
		return a.record.Service != nil && a.record.Service.Due == 0
	}
	return a.record.Items == 0
}

// allFailed reports whether no item completed, according to the SUT's report or a
// service's answers.
func (a *attempt) allFailed() bool {
	if a.service != nil {
		return a.record.Service != nil && a.record.Service.OK == 0
	}
	if n := a.record.ItemsFailed; n != nil && *n >= a.record.Items {
		return true
	}
	failed := make(map[string]bool)
	for _, item := range a.failed {
		failed[item] = true
	}
	return len(failed) >= a.record.Items
}

// recordUpstream copies the upstream's statistics. If the mock could not keep its own
// delays, the trial is invalid.
func recordUpstream(record *results.Trial, s mockupstream.Stats) {
	record.Upstream = &results.UpstreamStats{
		Requests: int(s.Requests), PeakInFlight: int(s.PeakInFlight), PeakConns: int(s.PeakConnections),
		Connections: int(s.Accepted), Repeated: int(s.Repeated), Traced: int(s.Traced),
		LateMedian: time.Duration(s.LateMedianNS), LateP99: time.Duration(s.LateP99NS), Saturated: s.Saturated,
	}
	if s.Saturated {
		fail(record, results.OutcomeInvalid, fmt.Errorf("the mock upstream was too slow: %s", s.Reason))
	}
}

// recordProxied copies the counts of the proxy in front of an external upstream. If the
// proxy lacked descriptors or ports, the trial is invalid.
func recordProxied(record *results.Trial, s *upstreamproxy.Stats) {
	u := &results.UpstreamStats{
		Requests: s.Requests, PeakInFlight: s.PeakInFlight, PeakConns: s.PeakConnections, Connections: s.Connections,
		Proxied: true, Refused: s.Refused,
	}
	record.Upstream = u
	for _, e := range s.Errors {
		u.Errors = append(u.Errors, results.ErrorCount{Type: e.Type, Side: "upstream", Count: e.Count, First: e.First, Sample: e.Sample})
		if e.Type == "emfile" || e.Type == "ports" {
			fail(record, results.OutcomeInvalid, fmt.Errorf("the proxy to the upstream could not connect %d times: %s; lower the limit or the rate, or raise net.ipv4.ip_local_port_range or ulimit -n", e.Count, e.Sample))
		}
	}
	if len(s.Errors) == 1 && s.Errors[0].Type == "refused" && s.Errors[0].Count == s.Requests {
		fail(record, results.OutcomeFailed, errors.New("the upstream refused every connection: "+s.Errors[0].Sample))
	}
	if record.Throttled += s.Throttled; s.Throttled > 0 {
		record.Warnings = append(record.Warnings, throttledWarning(s.Throttled))
	}
}

// throttledWarning describes requests that waited for external.rate.
func throttledWarning(n int) string {
	return fmt.Sprintf("%d requests were throttled by external.rate: the times measure that bound", n)
}

// documentSource streams the documents of a collection.
type documentSource interface {
	Documents(ctx context.Context, db, collection string, each func(bson.Raw) error) error
}

// expectation describes the documents that a trial's collection must hold. Their
// content is not stored but computed from the seed and the item for each document.
type expectation struct {
	profile   mockupstream.Profile
	seed      uint64
	perRecord bool
	// documents is the number of documents of each item; failed holds the items that
	// the SUT reported as failed.
	documents map[string]int
	failed    map[string]bool
	// unfinished means that the SUT did not report "done": missing documents are
	// unwritten, not lost.
	unfinished bool
	// anyContent accepts any content, for external upstreams.
	anyContent bool
	// records is the path of the records in an answer of the user's own API; empty
	// means that they are calls.
	records string
	// same holds the documents of the answer that every item has; nil means that answers
	// differ.
	same []calllog.Document
	// example describes the first wrong document that check finds.
	example string
}

func newExpectation(s *scenarios.Scenario, seed uint64, items [][]string, failed []string, unfinished bool) *expectation {
	e := &expectation{
		unfinished: unfinished,
		profile:    s.Upstream, seed: seed, perRecord: s.Database.Documents == "per-record",
		documents: map[string]int{}, failed: map[string]bool{}, records: s.Upstream.RecordsPath(),
	}
	for _, args := range items {
		key := itemKey(args)
		e.documents[key] = 1
		if e.perRecord {
			e.documents[key] = e.profile.Draw(seed, key, 1).Records
		}
	}
	for _, key := range failed {
		e.failed[key] = true
	}
	return e
}

// document is a stored document without its _id, which may be anything: a program
// that inserts twice instead of replacing is thus detected.
type document struct {
	Item    string        `bson:"item"`
	Seq     int           `bson:"seq"`
	Records bson.RawValue `bson:"records"`
	calls   []calllog.Record
}

// read decodes a document; records of the user's own API stay as they are.
func (e *expectation) read(raw bson.Raw) (d document, readable bool) {
	if bson.Unmarshal(raw, &d) != nil {
		return d, false
	}
	if e.records != "" || d.Records.IsZero() {
		return d, true
	}
	return d, d.Records.Unmarshal(&d.calls) == nil
}

// identity identifies a document by its content, not by its _id.
type identity struct {
	item string
	seq  int
}

// check compares the documents of the collection with the expected ones.
func (e *expectation) check(ctx context.Context, source documentSource, db, collection string) (*results.Documents, error) {
	r := results.Documents{Unchecked: e.anyContent}
	seen := make(map[identity]int)
	err := source.Documents(ctx, db, collection, func(raw bson.Raw) error {
		r.Found++
		d, readable := e.read(raw)
		id := identity{d.Item, d.Seq}
		if !readable || d.Seq < 0 || d.Seq >= e.documents[d.Item] {
			r.Foreign++
			return e.exemplify(raw)
		}
		if seen[id]++; seen[id] > 1 {
			r.Duplicate++
			return nil
		}
		matches, err := e.matches(d)
		if err != nil || matches {
			return err
		}
		r.Corrupt++
		return e.exemplify(raw)
	})
	if err != nil {
		return nil, fmt.Errorf("check the documents of %s: %w", collection, err)
	}
	for item, n := range e.documents {
		r.Expected += n
		for seq := range n {
			switch {
			case seen[identity{item, seq}] > 0:
			case e.unfinished || e.failed[item]:
				r.Unwritten++
			default:
				r.Lost++
			}
		}
	}
	r.Renamed = min(r.Lost, r.Foreign)
	return &r, nil
}

// matches reports whether the document has the content of the upstream's answer.
func (e *expectation) matches(d document) (bool, error) {
	if e.anyContent {
		return true, nil
	}
	want, err := e.answer(d.Item)
	if err != nil {
		return false, fmt.Errorf("answer of %q: %w", d.Item, err)
	}
	if e.records != "" {
		return calllog.SameRecords(d.Records, want[d.Seq].Own)
	}
	return slices.Equal(d.calls, want[d.Seq].Records), nil
}

// answer returns the documents of the mock's answer for a key.
func (e *expectation) answer(key string) ([]calllog.Document, error) {
	if e.same != nil {
		return e.same, nil
	}
	item, body := calllog.NewItem(key), mockupstream.Answer(e.profile, e.seed, key)
	if e.records == "" {
		return calllog.Decode(item, body, e.perRecord)
	}
	docs, err := calllog.DecodeRecords(item, body, e.records, e.perRecord)
	if e.profile.Body.Content != "" {
		e.same = docs // except for their keys
	}
	return docs, err
}

func itemKey(args []string) string { return calllog.NewItem(args...).String() }

// variantFor returns the variant for the SUT's specification. For another program,
// to which a limit of 0 means unlimited, sequential has the limit 1.
func variantFor(s *scenarios.Scenario, v scenarios.Variant) scenarios.Variant {
	if len(s.SUT.Command) > 0 {
		v.Limit, _ = v.Schedule().AtOnce()
	}
	return v
}

// overrun compares the figures of the mock upstream with the limit and the ideal
// makespan of the variant; nil means that neither was exceeded. It allows for the
// abandoned requests, which may still have been in flight when others replaced them.
func overrun(t ScheduledTrial, record *results.Trial, abandoned int) *results.Overrun {
	var over results.Overrun
	limit := t.declaredLimit()
	if peak := record.Upstream.PeakInFlight; limit > 0 && peak > limit+abandoned {
		over.Limit, over.PeakInFlight = limit, peak
	}
	if allDone(record) && record.Ideal > 0 && idealIsBound(t.Level.Scenario) {
		if e := float64(record.Ideal) / float64(record.Makespan); e > results.MaxEfficiency {
			over.Efficiency = e
		}
	}
	if over == (results.Overrun{}) {
		return nil
	}
	return &over
}

// allDone reports whether a trial was measured and reported no failures. Failed items
// may take less time than the ideal; lost documents do not excuse being faster.
func allDone(record *results.Trial) bool {
	return record.Outcome == results.OutcomeOK && record.Makespan > 0 && len(record.Errors) == 0 &&
		(record.ItemsFailed == nil || *record.ItemsFailed == 0) &&
		(record.Documents == nil || record.Documents.Unwritten == 0)
}

// idealIsBound reports whether no trial can be faster than its ideal. It can if
// latencies change during a trial or are spread around those of the ideal.
func idealIsBound(s *scenarios.Scenario) bool {
	return len(s.Upstream.Phases) == 0 && s.Database.Jitter == 0
}
