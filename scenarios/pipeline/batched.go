package pipeline

import (
	"errors"
	"sync"
	"time"
)

// parts is what is known of a job whose documents go into bulks.
type parts struct {
	settled int // documents
	failed  map[int]error
}

// piece is a run of a job's documents in a bulk: from first on, length of them.
type piece[I comparable, D any] struct {
	job           *job[I, D]
	first, length int
}

// bulk is what one Write gets.
type bulk[I comparable, D any] struct {
	docs    []D
	pieces  []piece[I, D]
	writing time.Time
}

// batcher gathers the documents of fetched items into bulks and writes them.
type batcher[I comparable, D any] struct {
	r       *run[I, D]
	size    int
	linger  time.Duration
	writers int
	fetched chan *job[I, D]
	bulks   chan *bulk[I, D]
	// spare are bulks to be used again.
	spare chan *bulk[I, D]
	mu    sync.Mutex // guards the jobs of all bulks
}

func newBatcher[I comparable, D any](r *run[I, D], writers int) *batcher[I, D] {
	s := r.p.Strategy
	return &batcher[I, D]{
		r: r, size: s.Batch, linger: s.Linger, writers: writers,
		fetched: make(chan *job[I, D]),
		bulks:   make(chan *bulk[I, D]),
		spare:   make(chan *bulk[I, D], writers+1),
	}
}

func (b *batcher[I, D]) run(n int) {
	var fetchers, others group
	b.r.fetchers(&fetchers, n, func(j *job[I, D]) { b.fetched <- j })
	others.start(b.gather, func() {})
	for id := range b.writers {
		b.write(&others, n+id)
	}
	fetchers.Wait()
	close(b.fetched)
	others.Wait()
}

// gather fills bulks. A full one waits for a writer and takes nothing more;
// one that has lingered goes to the next free writer and is filled until then.
func (b *batcher[I, D]) gather() {
	defer close(b.bulks)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	next, due := b.empty(), false
	for {
		var out chan<- *bulk[I, D]
		if due && len(next.docs) > 0 {
			out = b.bulks
		}
		select {
		case j, ok := <-b.fetched:
			if !ok {
				if len(next.docs) > 0 {
					b.bulks <- next
				}
				return
			}
			fresh := len(next.docs) == 0
			rest := b.fill(next, j, 0)
			for len(next.docs) == b.size {
				b.bulks <- next
				next, fresh = b.empty(), true
				rest = b.fill(next, j, rest)
			}
			if fresh { // its linger begins
				due = b.linger == 0
				if !due {
					timer.Reset(b.linger)
				}
			}
		case <-timer.C:
			due = true
		case out <- next:
			next, due = b.empty(), false
		}
	}
}

func (b *batcher[I, D]) empty() *bulk[I, D] {
	select {
	case spare := <-b.spare:
		return spare
	default:
		return new(bulk[I, D])
	}
}

// fill puts the documents of j from first on into the bulk, as far as they
// fit, and says how far it came.
func (b *batcher[I, D]) fill(to *bulk[I, D], j *job[I, D], first int) int {
	length := min(b.size-len(to.docs), len(j.docs)-first)
	if length > 0 {
		to.docs = append(to.docs, j.docs[first:first+length]...)
		to.pieces = append(to.pieces, piece[I, D]{j, first, length})
	}
	return first + length
}

// write starts a writer of bulks. What it has in hand outlives a restart.
func (b *batcher[I, D]) write(g *group, id int) {
	w := b.r.worker(id)
	var inHand *bulk[I, D]
	var complete []*job[I, D]
	settle := func(err error) {
		ended := b.r.now()
		complete = b.settle(inHand, err, ended, w.waited(ended.Sub(inHand.writing)))
		inHand = nil
	}
	g.start(func() {
		for {
			for len(complete) > 0 {
				w.job, complete = complete[0], complete[1:]
				w.report()
			}
			var open bool
			if inHand, open = <-b.bulks; !open {
				return
			}
			inHand.writing = b.r.now()
			settle(w.callWriter(inHand.docs))
		}
	}, func() {
		if inHand != nil {
			settle(ErrGoexit)
		}
	})
}

// settle maps what became of a bulk back to the items in it, and gives those
// that are complete.
func (b *batcher[I, D]) settle(done *bulk[I, D], err error, ended time.Time, wait time.Duration) []*job[I, D] {
	var partial *PartialError
	if errors.As(err, &partial) && !partial.fits(len(done.docs)) {
		partial = nil
	}
	var complete []*job[I, D]
	b.mu.Lock()
	at := 0
	for _, p := range done.pieces {
		p.settle(err, partial, at)
		p.stamp(done.writing, ended, wait)
		at += p.length
		if p.job.parts.settled == len(p.job.docs) {
			p.job.conclude()
			complete = append(complete, p.job)
		}
	}
	b.mu.Unlock()
	clear(done.docs)
	clear(done.pieces)
	done.docs, done.pieces = done.docs[:0], done.pieces[:0]
	select {
	case b.spare <- done:
	default:
	}
	return complete
}

// settle notes which documents of the piece, which stands at a position in
// its bulk, failed.
func (p piece[I, D]) settle(err error, partial *PartialError, at int) {
	if p.job.parts == nil {
		p.job.parts = new(parts)
	}
	known := p.job.parts
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

// stamp widens the job's write to that of a bulk it was in.
func (p piece[I, D]) stamp(writing, ended time.Time, wait time.Duration) {
	j := p.job
	if j.stage != StageWrite || writing.Before(j.writing) {
		j.writing = writing
	}
	if j.stage != StageWrite || ended.After(j.ended) {
		j.ended = ended
	}
	j.stage = StageWrite
	j.wait = max(j.wait, wait)
}

// conclude sets the error of a job whose documents are all settled: that of
// its one document, or a *PartialError by the job's own documents.
func (j *job[I, D]) conclude() {
	failed := j.parts.failed
	if len(failed) == 0 {
		return
	}
	if err := failed[0]; len(j.docs) == 1 && err != nil {
		j.fail(err)
		return
	}
	j.fail(&PartialError{Failed: failed})
}
