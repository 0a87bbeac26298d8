package pipeline

import "time"

// bulkWriter writes bulks. What it has in hand outlives a call of runtime.Goexit.
type bulkWriter[I comparable, D any] struct {
	worker[I, D]
	b        *batcher[I, D]
	inHand   *bulk[I, D]
	complete []*job[I, D] // to be reported
}

func (w *bulkWriter[I, D]) work() {
	for {
		for len(w.complete) > 0 {
			w.job, w.complete = w.complete[0], w.complete[1:]
			w.report()
		}
		if w.inHand = w.b.take(); w.inHand == nil {
			return
		}
		w.inHand.writing = w.r.now()
		w.settle(w.callWriter(w.inHand.docs))
	}
}

func (w *bulkWriter[I, D]) abandon() {
	if w.inHand != nil {
		w.settle(ErrGoexit)
	}
}

func (w *bulkWriter[I, D]) settle(err error) {
	ended := w.r.now()
	w.complete = w.b.settle(w.inHand, err, ended, w.waited(ended-w.inHand.writing))
	w.inHand = nil
}

// settle notes which documents of the piece, which stands at a position in
// its bulk, failed.
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

// stamp widens the job's write to that of a bulk it was in.
func (p piece[I, D]) stamp(writing, ended, wait time.Duration) {
	j := p.job
	if !j.written || writing < j.writing {
		j.writing = writing
	}
	j.ended = max(j.ended, ended)
	j.written = true
	j.wait = max(j.wait, wait)
}

// conclude sets the error of a job whose documents are all settled: that of
// its one document, or a *PartialError by the job's own documents.
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
