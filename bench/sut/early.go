package sut

import (
	"sync"
	"time"

	"floodgate/scenarios/pipeline"
)

// maxEarly is the number of means in Report.Early.
const maxEarly = 10

// Early is an observer that measures how the time of an item changes over the first half of
// the items, which shows whether a warm-up was long enough.
type Early struct {
	next  pipeline.Observer
	items int

	mu    sync.Mutex
	ended int
	sums  [maxEarly]time.Duration
	count [maxEarly]int
}

// NewEarly returns an Early for a number of items that passes everything on to next.
func NewEarly(next pipeline.Observer, items int) *Early {
	return &Early{next: next, items: items}
}

// Item adds the time of an item.
func (e *Early) Item(worker int, t pipeline.Timing) {
	e.next.Item(worker, t)
	e.mu.Lock()
	defer e.mu.Unlock()
	if tenth := 2 * maxEarly * e.ended / max(e.items, 1); tenth < maxEarly && t.Err == nil {
		e.sums[tenth] += t.End.Sub(t.Start)
		e.count[tenth]++
	}
	e.ended++
}

// Means returns the mean time of an item in each tenth of the first half of the items, or
// nil if there were too few of them.
func (e *Early) Means() []time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	means := make([]time.Duration, maxEarly)
	for i, n := range e.count {
		if n == 0 {
			return nil
		}
		means[i] = e.sums[i] / time.Duration(n)
	}
	return means
}
