// Package pipeline fetches many items, writes what comes back, and bounds how
// much of both happens at once.
//
// A [Pipeline] joins a [Fetcher] and a [Writer] by a [Strategy]. Whatever the
// strategy, the same contract holds:
//
//   - an item that occurs more than once is fetched once;
//   - an item may yield any number of documents; one that yields none is not written;
//   - values come back in the order of the items ([Pipeline.Run]) or as they
//     are done ([Pipeline.Stream]);
//   - every item is tried even when others fail, and no failure is lost;
//   - cancelling the context stops starting items; those that run are finished,
//     their writes included, and those never started are reported with [ErrNotStarted];
//   - a Fetcher or Writer that panics or calls runtime.Goexit fails its items
//     ([PanicError], [ErrGoexit]) and no others. A panic in the source of items,
//     the Observer or the callback of Stream stops the run as a cancellation
//     does and is then raised again, as a *PanicError, in the caller.
//
// Writes have to be idempotent: the pipeline writes each document once, but a
// failed item that is run again is written again.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"time"
)

// Fetcher gets the documents of one item. It is called from several
// goroutines at once, with a context that the run's cancellation does not
// reach: a Fetcher bounds its own time.
type Fetcher[I comparable, D any] interface {
	Fetch(ctx context.Context, item I) ([]D, error)
}

// FetcherFunc is a function as a Fetcher.
type FetcherFunc[I comparable, D any] func(ctx context.Context, item I) ([]D, error)

// Fetch calls f.
func (f FetcherFunc[I, D]) Fetch(ctx context.Context, item I) ([]D, error) { return f(ctx, item) }

// Writer stores documents: those of one item or, under [Batched], of several.
// It is called like a Fetcher, never with no documents, and must neither
// change nor keep the slice. A Write that failed only for some documents
// returns a *PartialError; any other error means that all of them failed.
type Writer[D any] interface {
	Write(ctx context.Context, docs []D) error
}

// WriterFunc is a function as a Writer.
type WriterFunc[D any] func(ctx context.Context, docs []D) error

// Write calls f.
func (f WriterFunc[D]) Write(ctx context.Context, docs []D) error { return f(ctx, docs) }

// Pipeline says what to fetch with, where to write and how to schedule it.
// It holds no state of a run: several may run at once.
type Pipeline[I comparable, D any] struct {
	Fetcher  Fetcher[I, D]
	Writer   Writer[D]
	Strategy Strategy
	// Slots bounds items across pipelines that share it, beside what Strategy
	// bounds in this one, for strategies that write in the slot; nil means no such bound.
	Slots Slots
	// Observer is told of every item that was started. Nil: none, at no cost.
	Observer Observer
	// AssumeDistinct skips looking for duplicates, and so the memory of all
	// items that Stream otherwise needs.
	AssumeDistinct bool
}

// Outcome is what became of one distinct item.
type Outcome[I comparable, D any] struct {
	// Index is the item's position in the source, from 0, at its first occurrence.
	Index int
	Item  I
	// Docs is what was fetched, also where writing it failed.
	Docs []D
	// Err is nil or an *ItemError[I].
	Err error
}

// Run works on items and returns their documents in the same order, a
// duplicate's being its first occurrence's. The documents of an item that
// could not be written are returned all the same; those of one that could not
// be fetched are nil. The error joins one *ItemError[I] for each distinct item
// that failed or was not started, in the order of items.
func (p *Pipeline[I, D]) Run(ctx context.Context, items []I) ([][]D, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	distinct, position := items, []int(nil)
	if !p.AssumeDistinct {
		distinct, position = dedupe(items)
	}
	src := &sliceSource[I]{items: distinct}
	got := &collected[I, D]{values: make([][]D, len(distinct))}
	r := newRun(ctx, p, src.next, got.add)
	r.run(min(len(distinct), maxWorkers))
	err := got.join(distinct[src.taken():], r.notStarted())
	return spread(got.values, position), err
}

// Stream works on items as they come and calls each, never twice at once, as
// they are done. Under the bounded strategies memory does not grow with the
// number of items, provided that AssumeDistinct is set: the distinct items are
// remembered otherwise. joined keeps every value until all are fetched, and
// unbounded starts items as fast as it can draw them.
//
// Each gets every failure; the error is nil or a *Failures that counts them
// and keeps the first. After cancellation the rest of items is still drawn
// and given to each with ErrNotStarted: a source that never ends by itself has
// to end when ctx does. A nil each drops the outcomes.
func (p *Pipeline[I, D]) Stream(ctx context.Context, items iter.Seq[I], each func(Outcome[I, D])) error {
	if err := p.validate(); err != nil {
		return err
	}
	src := newSeqSource(items, !p.AssumeDistinct)
	defer src.stop()
	out := &outcomes[I, D]{each: each}
	next := func() (int, I, bool) {
		index, item, ok := src.next()
		if !ok && ctx.Err() == nil {
			src.exhausted.Store(true)
		}
		return index, item, ok
	}
	r := newRun(ctx, p, next, out.add)
	r.run(maxWorkers)
	if !src.exhausted.Load() {
		out.rest(src.next, r.notStarted())
		out.failures.Cause = context.Cause(ctx)
	}
	return out.failures.orNil()
}

func (p *Pipeline[I, D]) validate() error {
	switch {
	case p.Fetcher == nil:
		return errors.New("pipeline: no Fetcher")
	case p.Writer == nil:
		return errors.New("pipeline: no Writer")
	}
	if err := p.Strategy.Validate(); err != nil {
		return err
	}
	if d, _ := Define(p.Strategy.Kind); p.Slots != nil && d.Writing != WritesInSlot {
		inSlot := Kinds(func(d Definition) bool { return d.Writing == WritesInSlot })
		return fmt.Errorf("strategy %s fetches and writes apart and holds no slot over both; use Slots with %s",
			d.Kind, strings.Join(inSlot, ", "))
	}
	return nil
}

// Timing is when an item was worked on and how long each stage took. A stage
// that the item did not reach is zero.
type Timing struct {
	// Start is when its fetch began and End when its write ended, or its fetch
	// where nothing was written. End-Start is the sum of Fetch, Handoff,
	// PoolWait and Write.
	Start, End time.Time
	// Queue is the time from the begin of the run to Start.
	Queue time.Duration
	Fetch time.Duration
	// Handoff is the time from the end of the fetch to the begin of the write.
	Handoff time.Duration
	// PoolWait is what the Writer reported with RecordPoolWait. Where an item's
	// documents went into several bulks, it is the longest of theirs.
	PoolWait time.Duration
	// Write is the time in the Writer without PoolWait.
	Write time.Duration
	// Wrote says that the item came to be written; Handoff, PoolWait and Write mean something.
	Wrote bool
	// Err is nil or an *ItemError, and Stage the stage in which it happened.
	Err   error
	Stage Stage
}

// Observer is told of every item that was started, when it is done.
type Observer interface {
	// Item is called by worker, a small number from 0 on that no two calls
	// have at the same time. (Under unbounded it is the item's index.)
	Item(worker int, t Timing)
}

// waitKey is the context key of a *poolWait.
type waitKey struct{}

// poolWait sums up what is recorded during one Write. It is its own context,
// so that a worker needs one for all its writes.
type poolWait struct {
	context.Context
	sum atomic.Int64
}

func (w *poolWait) Value(key any) any {
	if key == (waitKey{}) {
		return w
	}
	return w.Context.Value(key)
}

// RecordPoolWait is called by a Writer, inside Write and with its context, for
// time spent waiting for a connection. It adds up. Without an Observer it does nothing.
func RecordPoolWait(ctx context.Context, d time.Duration) {
	if w, ok := ctx.Value(waitKey{}).(*poolWait); ok && d > 0 {
		w.sum.Add(int64(d))
	}
}
