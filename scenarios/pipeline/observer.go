package pipeline

import (
	"context"
	"sync/atomic"
	"time"
)

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
