// Package service is a report service: POST /reports takes a list of items,
// fetches and writes each by the strategies of package pipeline, and answers
// when all are done. It is what a limit is put to the test in: requests keep
// coming, whatever became of those before.
//
// What bounds it is a matter of scope. A strategy binds the items of one
// report; nothing of it binds how many reports there are. Slots bind the items
// of all reports together, and a queue before them how many may wait, beyond
// which a report is turned away at once. The clients have a scope of their own:
// one of each for the process, or new ones for every report, closed after it
// or forgotten.
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

// Clients are what a report is fetched and written with.
type Clients struct {
	Fetcher pipeline.Fetcher[calllog.Item, calllog.Document]
	Writer  pipeline.Writer[calllog.Document]
	// Close frees what they hold; nil: nothing.
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

// Unlimited queue: whatever comes may wait.
const Unlimited = -1

// Options of a Service.
type Options struct {
	// Strategy of the items of one report.
	Strategy pipeline.Strategy
	// Slots bind the items of all reports. Nil: nothing does.
	Slots pipeline.Slots
	// Queue is how many items may wait for a slot, or Unlimited. A report whose
	// items do not fit is turned away with 503. Without Slots it means nothing.
	Queue int
	// Clients makes clients, and Scope says for whom.
	Clients func() (Clients, error)
	Scope   Scope
	// Observer is told of every item. Nil: nobody.
	Observer pipeline.Observer
}

// Service is an http.Handler. Close it.
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

// New makes a Service, and the clients where they are shared.
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

// Drain turns new reports away and waits until those in flight are done.
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

// request is the body of POST /reports: an item is its arguments.
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
// failed ones when some are not, 503 with Retry-After when it is turned away.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/reports" || r.Method != http.MethodPost {
		http.Error(w, "allowed: POST /reports", http.StatusNotFound)
		return
	}
	var body request
	if err := json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(&body); err != nil || len(body.Items) == 0 {
		reply(w, http.StatusBadRequest, answer{Error: fmt.Sprintf("want {\"items\": [[\"…\"], …]}: %v", err)})
		return
	}
	if !s.begin(len(body.Items)) {
		w.Header().Set("Retry-After", "1")
		reply(w, http.StatusServiceUnavailable, answer{Items: len(body.Items), Error: "too much is waiting"})
		return
	}
	defer s.reports.Done()
	failed, err := s.report(r.Context(), body.Items)
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
	_ = json.NewEncoder(w).Encode(a) // the client may be gone
}

// begin admits a report or turns it away.
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

// report works on the items of one report and returns those that failed.
func (s *Service) report(ctx context.Context, list [][]string) (failed []string, err error) {
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
		Strategy: s.options.Strategy, Slots: s.options.Slots, Observer: s.options.Observer,
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

// all are the errors that were joined.
func all(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// Ledger is what the service has in hand and has done, at one moment.
type Ledger struct {
	// Reports since the start: admitted, turned away with 503, answered with
	// all items done, answered with failures.
	Arrived int `json:"arrived"`
	Shed    int `json:"shed"`
	Done    int `json:"done"`
	Failed  int `json:"failed"`
	// ReportsInFlight are admitted and not answered.
	ReportsInFlight int `json:"reports_in_flight"`
	// Outstanding items belong to reports in flight; Fetching and Writing of
	// them are with the upstream and with the database, its pool included.
	Outstanding int `json:"items_outstanding"`
	Fetching    int `json:"items_fetching"`
	Writing     int `json:"items_writing"`
	// SlotsInUse of SlotLimit; 0 of 0: there are none.
	SlotsInUse int `json:"slots_in_use"`
	SlotLimit  int `json:"slot_limit"`
	// Errors of items since the start, by type.
	Errors map[string]int `json:"errors,omitempty"`
}

// Ledger reads the ledger.
func (s *Service) Ledger() Ledger {
	l := s.ledger.read()
	if s.options.Slots != nil {
		l.SlotsInUse, l.SlotLimit = s.options.Slots.InUse(), s.options.Slots.Limit()
	}
	return l
}

// ledger counts. One lock for all keeps its figures consistent with each other.
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

// fetching counts the items that are with the upstream.
type fetching struct {
	pipeline.Fetcher[calllog.Item, calllog.Document]
	ledger *ledger
}

func (f *fetching) Fetch(ctx context.Context, item calllog.Item) ([]calllog.Document, error) {
	f.ledger.change(func(n *Ledger) { n.Fetching++ })
	defer f.ledger.change(func(n *Ledger) { n.Fetching-- })
	return f.Fetcher.Fetch(ctx, item)
}

// writing counts the writes that are with the database.
type writing struct {
	pipeline.Writer[calllog.Document]
	ledger *ledger
}

func (w *writing) Write(ctx context.Context, docs []calllog.Document) error {
	w.ledger.change(func(n *Ledger) { n.Writing++ })
	defer w.ledger.change(func(n *Ledger) { n.Writing-- })
	return w.Writer.Write(ctx, docs)
}
