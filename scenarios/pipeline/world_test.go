package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"floodgate/scenarios/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// doc is document seq of an item.
type doc struct{ item, seq int }

// behavior determines the result of an item or a document.
type behavior int

const (
	works behavior = iota
	fails
	panics
	exits   // runtime.Goexit
	partial // of a document: fails it alone
)

var errBroken = errors.New("broken")

func (b behavior) act() error {
	switch b {
	case fails:
		return errBroken
	case panics:
		panic("broken")
	case exits:
		runtime.Goexit()
	}
	return nil
}

// world is an upstream and a database that count their calls.
type world struct {
	docs  func(item int) int // the number of documents of an item
	fetch func(item int) behavior
	write func(d doc) behavior
	// onFetch, onWrite and onWritten are called without the lock.
	onFetch   func(item int)
	onWrite   func(docs []doc)
	onWritten func()

	mu                sync.Mutex
	fetched           map[int]int
	written           map[doc]int
	items             map[int]bool // fetched, and neither written nor failed
	fetching, writing int
	peakFetching      int
	peakWriting       int
	peakHeld          int // items in fetch or between fetch and the end of the write
	largest           int // documents in one Write
}

func newWorld() *world {
	return &world{
		docs:    func(int) int { return 1 },
		fetch:   func(int) behavior { return works },
		write:   func(doc) behavior { return works },
		onFetch: func(int) {}, onWrite: func([]doc) {}, onWritten: func() {},
		fetched: map[int]int{}, written: map[doc]int{}, items: map[int]bool{},
	}
}

func (w *world) update(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
	w.peakFetching = max(w.peakFetching, w.fetching)
	w.peakWriting = max(w.peakWriting, w.writing)
	w.peakHeld = max(w.peakHeld, w.fetching+len(w.items))
}

func (w *world) Fetch(_ context.Context, item int) (docs []doc, err error) {
	w.update(func() { w.fetching++; w.fetched[item]++ })
	defer w.update(func() {
		w.fetching--
		if len(docs) > 0 {
			w.items[item] = true
		}
	})
	w.onFetch(item)
	runtime.Gosched()
	if err := w.fetch(item).act(); err != nil {
		return nil, err
	}
	for seq := range w.docs(item) {
		docs = append(docs, doc{item, seq})
	}
	return docs, nil
}

func (w *world) Write(_ context.Context, docs []doc) error {
	w.update(func() { w.writing++; w.largest = max(w.largest, len(docs)) })
	defer w.onWritten()
	defer w.update(func() {
		w.writing--
		for _, d := range docs {
			delete(w.items, d.item)
		}
	})
	w.onWrite(docs)
	runtime.Gosched()
	failed := map[int]error{}
	for i, d := range docs {
		if w.write(d) == partial {
			failed[i] = fmt.Errorf("document %v: %w", d, errBroken)
		} else if err := w.write(d).act(); err != nil {
			return err
		}
	}
	w.update(func() {
		for i, d := range docs {
			if failed[i] == nil {
				w.written[d]++
			}
		}
	})
	if len(failed) > 0 {
		return &pipeline.PartialError{Failed: failed}
	}
	return nil
}

func (w *world) pipeline(s pipeline.Strategy) *pipeline.Pipeline[int, doc] {
	return &pipeline.Pipeline[int, doc]{Fetcher: w, Writer: w, Strategy: s}
}

// strategies has some strategies of every kind.
func strategies() []pipeline.Strategy {
	return []pipeline.Strategy{
		pipeline.Sequential(),
		pipeline.Joined(3),
		pipeline.Unbounded(),
		pipeline.Bounded(1),
		pipeline.Bounded(4),
		pipeline.Staged(3, 2, 0),
		pipeline.Staged(2, 1, 5),
		pipeline.Batched(3, 2, 4, 0),
		pipeline.Batched(2, 1, 3, time.Millisecond),
		pipeline.Batched(2, 2, 1, time.Millisecond),
	}
}

// forEachStrategy runs a subtest of each.
func forEachStrategy(t *testing.T, test func(t *testing.T, s pipeline.Strategy)) {
	for _, s := range strategies() {
		t.Run(s.String(), func(t *testing.T) { test(t, s) })
	}
}

// itemErrors are the failures in a joined error, in order.
func itemErrors(err error) []*pipeline.ItemError[int] {
	var all []*pipeline.ItemError[int]
	if err == nil {
		return nil
	}
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var item *pipeline.ItemError[int]
		if errors.As(e, &item) {
			all = append(all, item)
		}
	}
	return all
}
