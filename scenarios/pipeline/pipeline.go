// Package pipeline fetches many items, writes their documents, and bounds the
// concurrency of both:
//
//	p := &pipeline.Pipeline[string, Doc]{
//		Fetcher:  pipeline.FetcherFunc[string, Doc](fetch),
//		Writer:   pipeline.WriterFunc[Doc](write),
//		Strategy: pipeline.Bounded(10), // 10 slots, held from fetch to write
//	}
//	docs, err := p.Run(ctx, []string{"a", "b", "a"}) // fetches "a" once
//
// A [Pipeline] connects a [Fetcher] and a [Writer] by a [Strategy]. The contract is
// the same for every strategy:
//
//   - an item that occurs more than once is fetched once;
//   - an item may yield any number of documents; an item without documents is not written;
//   - values are returned in the order of the items ([Pipeline.Run]) or as items
//     complete ([Pipeline.Stream]);
//   - every item is tried even when others fail, and no failure is lost;
//   - canceling the context stops the starting of items; started items are finished,
//     writes included, and the others are reported with [ErrNotStarted];
//   - a Fetcher or Writer that panics or calls runtime.Goexit fails its items
//     ([PanicError], [ErrGoexit]) and no others. A panic in the source of items,
//     the Observer or the callback of Stream stops the run like a cancellation
//     and is then raised again, as a *PanicError, in the caller.
//
// Writes must be idempotent: the pipeline writes each document once, but running a
// failed item again writes it again.
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

// Fetcher fetches the documents of one item. Several goroutines call it at once,
// with a context that is not canceled with the run: a Fetcher must bound its own
// time.
type Fetcher[I comparable, D any] interface {
	Fetch(ctx context.Context, item I) ([]D, error)
}

// FetcherFunc is a function as a Fetcher.
type FetcherFunc[I comparable, D any] func(ctx context.Context, item I) ([]D, error)

// Fetch calls f.
func (f FetcherFunc[I, D]) Fetch(ctx context.Context, item I) ([]D, error) { return f(ctx, item) }

// Writer stores documents: those of one item or, under [Batched], of several.
// It is called like a Fetcher, with at least one document, and must neither modify
// nor retain the slice. A Write that failed only for some documents returns a
// *PartialError; any other error means that all of them failed.
type Writer[D any] interface {
	Write(ctx context.Context, docs []D) error
}

// WriterFunc is a function as a Writer.
type WriterFunc[D any] func(ctx context.Context, docs []D) error

// Write calls f.
func (f WriterFunc[D]) Write(ctx context.Context, docs []D) error { return f(ctx, docs) }

// Pipeline configures runs. It holds no state of a run, so several runs may be
// in progress at once.
type Pipeline[I comparable, D any] struct {
	Fetcher  Fetcher[I, D]
	Writer   Writer[D]
	Strategy Strategy
	// Slots bounds items across pipelines that share it, beside what Strategy
	// bounds in this one, for strategies that write in the slot; nil means no such bound.
	Slots Slots
	// Observer is notified of every started item; nil means none, at no cost.
	Observer Observer
	// Indexed makes the contexts of the Fetcher tell the item's index: see [Index].
	Indexed bool
	// AssumeDistinct skips the search for duplicates, for which Stream otherwise
	// remembers all items.
	AssumeDistinct bool
}

// Outcome is the result of one distinct item.
type Outcome[I comparable, D any] struct {
	// Index is the item's position in the source, from 0, at its first occurrence.
	Index int
	Item  I
	// Docs are the fetched documents, even if their write failed.
	Docs []D
	// Err is nil or an *ItemError[I].
	Err error
}

// Run processes items and returns their documents in the same order; a duplicate
// has the documents of its first occurrence. The result includes the documents of
// items whose write failed; those of items whose fetch failed are nil. The error
// joins one *ItemError[I] for each distinct item that failed or was not started, in
// the order of items.
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

// Stream processes items as they arrive and calls each, never concurrently, as
// they complete. With the bounded strategies, memory does not grow with the number
// of items, provided that AssumeDistinct is set: otherwise Stream remembers the
// distinct items. joined keeps every value until all are fetched, and unbounded
// starts items as fast as it can draw them.
//
// each receives every failure; the error is nil or a *Failures that counts them
// and keeps the first. After cancellation, Stream draws the remaining items and
// passes them to each with ErrNotStarted, so an endless source must end when ctx
// is done. A nil each discards the outcomes.
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

// Timing holds the time of an item's processing and the durations of its stages.
// A stage that the item did not reach is zero.
type Timing struct {
	// Index is the item's position in the source, as in [Outcome].
	Index int
	// Start is the start of the fetch. End is the end of the write, or of the fetch
	// if nothing was written. End-Start is the sum of Fetch, Handoff, PoolWait and
	// Write.
	Start, End time.Time
	// Queue is the time from the start of the run to Start.
	Queue time.Duration
	Fetch time.Duration
	// Handoff is the time from the end of the fetch to the start of the write.
	Handoff time.Duration
	// PoolWait is the time that the Writer reported with RecordPoolWait. If an item's
	// documents went into several bulks, it is the longest of their waits.
	PoolWait time.Duration
	// Write is the time in the Writer without PoolWait.
	Write time.Duration
	// Wrote reports that the write was started, so that Handoff, PoolWait and Write are valid.
	Wrote bool
	// Err is nil or an *ItemError, and Stage the stage in which it happened.
	Err   error
	Stage Stage
}

// Observer is notified of every started item when it is done.
type Observer interface {
	// Item is called by worker, a small number from 0 that is unique among
	// concurrent calls. (With unbounded, it is the item's index.)
	Item(worker int, t Timing)
}

// indexKey is the context key of an item's index.
type indexKey struct{}

// Index returns the position of the item that a Fetcher is called for, by its context. ok is
// false unless the pipeline is Indexed.
func Index(ctx context.Context) (index int, ok bool) {
	index, ok = ctx.Value(indexKey{}).(int)
	return index, ok
}

// waitKey is the context key of a *poolWait.
type waitKey struct{}

// poolWait adds up the waits recorded during one Write. It is its own context,
// so that a worker needs only one for all its writes.
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

// RecordPoolWait records time spent waiting for a connection. A Writer calls it in
// Write with Write's context. Several calls add up. Without an Observer, it does
// nothing.
func RecordPoolWait(ctx context.Context, d time.Duration) {
	if w, ok := ctx.Value(waitKey{}).(*poolWait); ok && d > 0 {
		w.sum.Add(int64(d))
	}
}
