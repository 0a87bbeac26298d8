package pipeline

import (
	"errors"
	"sync"
	"time"
)

// batcher gathers the documents of fetched items into bulks, which writers take.
type batcher[I comparable, D any] struct {
	size   int
	linger time.Duration

	mu sync.Mutex
	// room is signalled when next has room, ready when it may be taken.
	room, ready sync.Cond
	next        *bulk[I, D]
	timer       *time.Timer // the timer of next's linger, or nil
	number      int         // the number of bulks taken before next
	due         bool        // next has lingered
	closed      bool        // there are no more documents
	spare       []*bulk[I, D]
}

// bulk holds the documents of one Write.
type bulk[I comparable, D any] struct {
	docs    []D
	pieces  []piece[I, D]
	writing time.Duration
}

// piece is a run of a job's documents in a bulk: from first on, length of them.
type piece[I comparable, D any] struct {
	job           *job[I, D]
	first, length int
}

// parts is the state of a job whose documents go into bulks.
type parts struct {
	settled int // documents
	failed  map[int]error
}

// batched has n fetchers and m writers of bulks.
func (r *run[I, D]) batched(n, m int) {
	s := r.p.Strategy
	b := &batcher[I, D]{size: s.Batch, linger: s.Linger, next: new(bulk[I, D])}
	b.room.L, b.ready.L = &b.mu, &b.mu
	var fetchers, writers group
	r.fetchers(&fetchers, n, b.add)
	for id := range m {
		w := &bulkWriter[I, D]{b: b}
		w.set(r, n+id, nil)
		writers.start(w)
	}
	fetchers.Wait()
	b.close()
	writers.Wait()
}

// add appends a job's documents to as many bulks as necessary, and waits while
// they are full.
func (b *batcher[I, D]) add(j *job[I, D]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for first := 0; first < len(j.docs); {
		for len(b.next.docs) == b.size {
			b.room.Wait()
		}
		if len(b.next.docs) == 0 {
			b.begin()
		}
		length := min(b.size-len(b.next.docs), len(j.docs)-first)
		b.next.docs = append(b.next.docs, j.docs[first:first+length]...)
		b.next.pieces = append(b.next.pieces, piece[I, D]{j, first, length})
		first += length
		if b.takeable() {
			b.ready.Signal()
		}
	}
	if len(b.next.docs) < b.size {
		b.room.Signal() // another job may wait for the remaining room
	}
}

// begin starts the linger of next.
func (b *batcher[I, D]) begin() {
	b.due = b.linger == 0
	if b.due || b.size == 1 {
		return
	}
	number := b.number
	b.timer = time.AfterFunc(b.linger, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.number == number {
			b.due = true
			b.ready.Signal()
		}
	})
}

// takeable reports whether next is full, or not empty and due.
func (b *batcher[I, D]) takeable() bool {
	return len(b.next.docs) == b.size || len(b.next.docs) > 0 && (b.due || b.closed)
}

// take waits for a bulk. It returns nil if there are no more.
func (b *batcher[I, D]) take() *bulk[I, D] {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.takeable() {
		if b.closed {
			return nil
		}
		b.ready.Wait()
	}
	if b.timer != nil {
		b.timer.Stop()
	}
	taken := b.next
	b.number++
	if last := len(b.spare) - 1; last >= 0 {
		b.next, b.spare = b.spare[last], b.spare[:last]
	} else {
		b.next = new(bulk[I, D])
	}
	b.room.Signal()
	return taken
}

func (b *batcher[I, D]) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.ready.Broadcast()
}

// settle maps the result of a bulk to its items, and returns the jobs that are
// complete.
func (b *batcher[I, D]) settle(done *bulk[I, D], err error, ended, wait time.Duration) []*job[I, D] {
	var partial *PartialError
	if errors.As(err, &partial) && !partial.fits(len(done.docs)) {
		partial = nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var complete []*job[I, D]
	at := 0
	for _, p := range done.pieces {
		p.settle(err, partial, at)
		p.stamp(done.writing, ended, wait)
		at += p.length
		if p.job.settled == len(p.job.docs) {
			p.job.conclude()
			complete = append(complete, p.job)
		}
	}
	clear(done.docs)
	clear(done.pieces)
	done.docs, done.pieces = done.docs[:0], done.pieces[:0]
	b.spare = append(b.spare, done)
	return complete
}

// bulkWriter writes bulks. Its current bulk survives a call of runtime.Goexit.
type bulkWriter[I comparable, D any] struct {
	worker[I, D]
	b        *batcher[I, D]
	current  *bulk[I, D]
	complete []*job[I, D] // to be reported
}

func (w *bulkWriter[I, D]) work() {
	for {
		for len(w.complete) > 0 {
			w.job, w.complete = w.complete[0], w.complete[1:]
			w.report()
		}
		if w.current = w.b.take(); w.current == nil {
			return
		}
		w.current.writing = w.r.now()
		w.settle(w.callWriter(w.current.docs))
	}
}

func (w *bulkWriter[I, D]) abandon() {
	if w.current != nil {
		w.settle(ErrGoexit)
	}
}

func (w *bulkWriter[I, D]) settle(err error) {
	ended := w.r.now()
	w.complete = w.b.settle(w.current, err, ended, w.waited(ended-w.current.writing))
	w.current = nil
}

// settle records the failed documents of the piece, which begins at the position
// at of its bulk.
func (p piece[I, D]) settle(err error, partial *PartialError, at int) {
	known := &p.job.parts
	known.settled += p.length
	if err == nil {
		return
	}
	for i := range p.length {
		why := err
		if partial != nil {
			var failed bool
			if why, failed = partial.Failed[at+i]; !failed {
				continue
			}
		}
		if known.failed == nil {
			known.failed = make(map[int]error)
		}
		known.failed[p.first+i] = why
	}
}

// stamp extends the time of the job's write to that of one of its bulks.
func (p piece[I, D]) stamp(writing, ended, wait time.Duration) {
	j := p.job
	if !j.written || writing < j.writing {
		j.writing = writing
	}
	j.ended = max(j.ended, ended)
	j.written = true
	j.wait = max(j.wait, wait)
}

// conclude sets the error of a job whose documents are all settled: the error of
// its only document, or a *PartialError with the indexes of the job's documents.
func (j *job[I, D]) conclude() {
	failed := j.failed
	if len(failed) == 0 {
		return
	}
	if err := failed[0]; len(j.docs) == 1 && err != nil {
		j.fail(err)
		return
	}
	j.fail(&PartialError{Failed: failed})
}
