package service

import (
	"context"
	"maps"
	"sync"

	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
)

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
