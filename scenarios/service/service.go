// Package service is a report service: POST /reports accepts a list of items,
// fetches and writes them with a strategy of package pipeline, and answers when all
// are done:
//
//	POST /reports {"items": [["+15550001"], ["+15550002"]]}
//	200 {"items": 2}
//
// It tests limits under load, because requests keep arriving whatever happens to
// earlier ones. The effect of a limit depends on its scope. A strategy bounds the
// items of one report, but not the number of reports. Slots bound the items of all
// reports together, and a queue bounds the number of waiting items, beyond which a
// report is rejected at once. Clients have their own scope: one of each for the
// process, or new ones for every report, closed after it or forgotten.
package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
)

// Clients fetch and write the items of a report.
type Clients struct {
	Fetcher pipeline.Fetcher[calllog.Item, calllog.Document]
	Writer  pipeline.Writer[calllog.Document]
	// Close frees the clients' resources; nil means that there are none.
	Close func(ctx context.Context) error
}

// Scope of clients.
type Scope string

// Scopes of clients.
const (
	Shared    Scope = "shared"     // one of each, for all reports
	PerReport Scope = "per-report" // new ones for each report, closed after it
	Forgotten Scope = "forgotten"  // new ones for each report, never closed: a leak
)

// Unlimited is the size of a queue without a limit.
const Unlimited = -1

// Options of a Service.
type Options struct {
	// Strategy of the items of one report.
	Strategy pipeline.Strategy
	// Slots bound the items of all reports together; nil means no such bound.
	Slots pipeline.Slots
	// Queue is the number of items that may wait for a slot, or Unlimited. A report
	// whose items do not fit is rejected with 503. It has no effect without Slots.
	Queue int
	// Clients creates clients, and Scope determines when.
	Clients func() (Clients, error)
	Scope   Scope
	// Observer is notified of every item; nil means no observer.
	Observer pipeline.Observer
	// Trace is called for each admitted report. It returns the context of its items, an
	// observer of them beside Observer, or nil, and a function that is called with the
	// report's error when it is done; a nil Trace means that nothing is called.
	Trace func(r *http.Request) (ctx context.Context, items pipeline.Observer, end func(error))
}

// Service is an http.Handler. Create it with New and call Close when done.
type Service struct {
	options Options
	shared  *Clients
	ledger  ledger

	mu       sync.Mutex
	draining bool
	reports  sync.WaitGroup
}

// closeTimeout bounds the closing of clients.
const closeTimeout = 10 * time.Second

// New returns a Service. It creates the clients if they are shared.
func New(o Options) (*Service, error) {
	if err := o.Strategy.Validate(); err != nil {
		return nil, err
	}
	s := &Service{options: o}
	s.ledger.init()
	if o.Scope != Shared {
		return s, nil
	}
	c, err := o.Clients()
	if err != nil {
		return nil, err
	}
	s.shared = &c
	return s, nil
}

// Drain rejects new reports and waits until those in flight are done.
func (s *Service) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.reports.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("drain: %d reports in flight: %w", s.Ledger().ReportsInFlight, context.Cause(ctx))
	}
}

// Close frees the shared clients.
func (s *Service) Close(ctx context.Context) error {
	if s.shared == nil || s.shared.Close == nil {
		return nil
	}
	return s.shared.Close(ctx)
}

// request is the body of POST /reports; an item is a list of arguments.
type request struct {
	Items [][]string `json:"items"`
}

// answer to a report.
type answer struct {
	Items  int      `json:"items"`
	Failed []string `json:"failed,omitempty"`
	Error  string   `json:"error,omitempty"`
}

// maxRequest bounds the body of a request, in bytes.
const maxRequest = 16 << 20

// ServeHTTP answers POST /reports: 200 when all items are done, 502 with the
// failed ones when some are not, 503 with Retry-After when it rejects the report.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/reports" || r.Method != http.MethodPost {
		http.Error(w, "unknown request (want POST /reports)", http.StatusNotFound)
		return
	}
	var body request
	if err := json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(&body); err != nil || len(body.Items) == 0 {
		reply(w, http.StatusBadRequest, answer{Error: fmt.Sprintf("invalid body (want {\"items\": [[\"…\"], …]}): %v", err)})
		return
	}
	if !s.begin(len(body.Items)) {
		w.Header().Set("Retry-After", "1")
		reply(w, http.StatusServiceUnavailable, answer{Items: len(body.Items), Error: "the queue is full"})
		return
	}
	defer s.reports.Done()
	ctx, observer, end := r.Context(), s.options.Observer, func(error) {}
	if s.options.Trace != nil {
		var items pipeline.Observer
		if ctx, items, end = s.options.Trace(r); items != nil {
			observer = observers(observer, items)
		}
	}
	failed, err := s.report(ctx, body.Items, observer)
	end(err)
	a := answer{Items: len(body.Items), Failed: failed}
	status := http.StatusOK
	if err != nil {
		a.Error, status = err.Error(), http.StatusBadGateway
	}
	s.ledger.end(len(body.Items), err)
	reply(w, status, a)
}

func reply(w http.ResponseWriter, status int, a answer) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a) // the client may have disconnected
}

// begin admits or rejects a report.
func (s *Service) begin(items int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.options.Slots != nil && s.options.Queue != Unlimited &&
		s.ledger.outstanding()+items > s.options.Slots.Limit()+s.options.Queue
	if s.draining || full {
		s.ledger.turnAway()
		return false
	}
	s.ledger.begin(items)
	s.reports.Add(1)
	return true
}

// both notifies two observers.
type both [2]pipeline.Observer

// Item notifies both.
func (b both) Item(worker int, t pipeline.Timing) {
	b[0].Item(worker, t)
	b[1].Item(worker, t)
}

// observers returns an observer that notifies two, the first of which may be nil.
func observers(a, b pipeline.Observer) pipeline.Observer {
	if a == nil {
		return b
	}
	return both{a, b}
}

// report processes the items of one report and returns the failed ones.
func (s *Service) report(ctx context.Context, list [][]string, observer pipeline.Observer) (failed []string, err error) {
	clients := s.shared
	if clients == nil {
		own, err := s.options.Clients()
		if err != nil {
			s.ledger.failed(err, len(list))
			return nil, err
		}
		clients = &own
		if s.options.Scope == PerReport && own.Close != nil {
			defer func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
				defer cancel()
				err = errors.Join(err, own.Close(ctx))
			}()
		}
	}
	items := make([]calllog.Item, len(list))
	for i, args := range list {
		items[i] = calllog.NewItem(args...)
	}
	p := pipeline.Pipeline[calllog.Item, calllog.Document]{
		Strategy: s.options.Strategy, Slots: s.options.Slots, Observer: observer, Indexed: s.options.Trace != nil,
		Fetcher: &fetching{clients.Fetcher, &s.ledger}, Writer: &writing{clients.Writer, &s.ledger},
	}
	_, err = p.Run(ctx, items)
	var each *pipeline.ItemError[calllog.Item]
	for _, one := range all(err) {
		if errors.As(one, &each) {
			failed = append(failed, string(each.Item))
		}
		s.ledger.failed(one, 1)
	}
	return failed, err
}

// all returns the joined errors.
func all(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// Ledger is a snapshot of the service's work in progress and completed work.
type Ledger struct {
	// Reports since the start: admitted, rejected with 503, answered with all items
	// done, answered with failures.
	Arrived int `json:"arrived"`
	Shed    int `json:"shed"`
	Done    int `json:"done"`
	Failed  int `json:"failed"`
	// ReportsInFlight counts the reports that are admitted and not answered.
	ReportsInFlight int `json:"reports_in_flight"`
	// Outstanding counts the items of reports in flight; Fetching of them wait for the
	// upstream, Writing for the database or its pool.
	Outstanding int `json:"items_outstanding"`
	Fetching    int `json:"items_fetching"`
	Writing     int `json:"items_writing"`
	// SlotsInUse of SlotLimit; both are zero without Slots.
	SlotsInUse int `json:"slots_in_use"`
	SlotLimit  int `json:"slot_limit"`
	// Errors counts the errors of items since the start, by type.
	Errors map[string]int `json:"errors,omitempty"`
}

// Plus returns the sum of two ledgers, which stay as they are.
func (l Ledger) Plus(o Ledger) Ledger {
	l.Arrived, l.Shed, l.Done, l.Failed = l.Arrived+o.Arrived, l.Shed+o.Shed, l.Done+o.Done, l.Failed+o.Failed
	l.ReportsInFlight += o.ReportsInFlight
	l.Outstanding, l.Fetching, l.Writing = l.Outstanding+o.Outstanding, l.Fetching+o.Fetching, l.Writing+o.Writing
	l.SlotsInUse, l.SlotLimit = l.SlotsInUse+o.SlotsInUse, l.SlotLimit+o.SlotLimit
	sum := maps.Clone(l.Errors)
	for kind, n := range o.Errors {
		if sum == nil {
			sum = map[string]int{}
		}
		sum[kind] += n
	}
	l.Errors = sum
	return l
}

// Ledger returns a snapshot.
func (s *Service) Ledger() Ledger {
	l := s.ledger.read()
	if s.options.Slots != nil {
		l.SlotsInUse, l.SlotLimit = s.options.Slots.InUse(), s.options.Slots.Limit()
	}
	return l
}

// ledger counts work. A single lock keeps its figures consistent with each other.
type ledger struct {
	mu  sync.Mutex
	now Ledger
}

func (l *ledger) init() { l.now.Errors = map[string]int{} }

func (l *ledger) change(f func(*Ledger)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.now)
}

func (l *ledger) read() Ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now
	now.Errors = maps.Clone(l.now.Errors)
	return now
}

func (l *ledger) outstanding() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now.Outstanding
}

func (l *ledger) begin(items int) {
	l.change(func(n *Ledger) { n.Arrived++; n.ReportsInFlight++; n.Outstanding += items })
}

func (l *ledger) turnAway() { l.change(func(n *Ledger) { n.Shed++ }) }

func (l *ledger) end(items int, err error) {
	l.change(func(n *Ledger) {
		n.ReportsInFlight--
		n.Outstanding -= items
		if err == nil {
			n.Done++
		} else {
			n.Failed++
		}
	})
}

func (l *ledger) failed(err error, items int) {
	l.change(func(n *Ledger) { n.Errors[pipeline.ErrorType(err)] += items })
}

// fetching counts the items that wait for the upstream.
type fetching struct {
	pipeline.Fetcher[calllog.Item, calllog.Document]
	ledger *ledger
}

func (f *fetching) Fetch(ctx context.Context, item calllog.Item) ([]calllog.Document, error) {
	f.ledger.change(func(n *Ledger) { n.Fetching++ })
	defer f.ledger.change(func(n *Ledger) { n.Fetching-- })
	return f.Fetcher.Fetch(ctx, item)
}

// writing counts the writes that wait for the database.
type writing struct {
	pipeline.Writer[calllog.Document]
	ledger *ledger
}

func (w *writing) Write(ctx context.Context, docs []calllog.Document) error {
	w.ledger.change(func(n *Ledger) { n.Writing++ })
	defer w.ledger.change(func(n *Ledger) { n.Writing-- })
	return w.Writer.Write(ctx, docs)
}
