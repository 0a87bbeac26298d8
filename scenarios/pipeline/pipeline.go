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
