package pipeline

import (
	"context"
	"sync"
	"time"
)

// job is one item in progress.
type job[I comparable, D any] struct {
	index int
	item  I
	docs  []D
	err   error // nil or an *ItemError[I]
	// live is true from the draw until the report, written from the start of the write.
	live, written bool

	// Times since the start of the run; zero without an Observer.
	began, fetched, writing, ended time.Duration
	wait                           time.Duration // wait for the pool, between writing and ended
	// parts is used by batched.
	parts
}

// worker is the state of one goroutine, which processes one job at a time.
type worker[I comparable, D any] struct {
	r    *run[I, D]
	id   int
	job  *job[I, D]
	ctx  context.Context // the context of its writes
	wait *poolWait       // nil without an Observer
}

func (w *worker[I, D]) set(r *run[I, D], id int, j *job[I, D]) {
	w.r, w.id, w.job, w.ctx = r, id, j, r.work
	if r.p.Observer != nil {
		w.wait = &poolWait{Context: r.work}
		w.ctx = w.wait
	}
}

// next draws the next item.
func (w *worker[I, D]) next() (ok bool) {
	r := w.r
	if r.ctx.Err() != nil || r.panicked.Load() != nil {
		return false
	}
	defer r.guard()
	index, item, ok := r.source()
	if ok {
		*w.job = job[I, D]{index: index, item: item, live: true}
	}
	return ok
}

// perform fetches and writes an item.
func (w *worker[I, D]) perform() {
	outcome := ErrGoexit // unless the work returns
	if w.r.p.Slots != nil {
		release, ok := w.hold()
		if !ok {
			return
		}
		defer func() { release(outcome) }()
	}
	if w.fetch() {
		w.write(w.job.fetched)
	}
	outcome = w.job.err
	w.report()
}

// hold waits for a slot. If it gets none, it reports the item as not started, or
// as failed if the reason is not the end of the run.
func (w *worker[I, D]) hold() (release func(error), ok bool) {
	release, err := w.r.p.Slots.Acquire(w.r.ctx)
	if err == nil {
		return release, true
	}
	if stopped := w.r.notStarted(); stopped != nil {
		err = stopped
	}
	w.job.began = w.r.now()
	w.job.fetched, w.job.ended = w.job.began, w.job.began
	w.job.fail(err)
	w.report()
	return nil, false
}

// fetch fetches the item and reports whether there are documents to write.
func (w *worker[I, D]) fetch() bool {
	j := w.job
	j.began = w.r.now()
	docs, err := w.callFetcher(j)
	j.fetched = w.r.now()
	j.ended = j.fetched
	if err != nil {
		j.fail(err)
		return false
	}
	j.docs = docs
	return len(docs) > 0
}

func (w *worker[I, D]) callFetcher(j *job[I, D]) (docs []D, err error) {
	defer catch(&err)
	ctx := w.r.work
	if w.r.p.Indexed {
		ctx = context.WithValue(ctx, indexKey{}, j.index)
	}
	return w.r.p.Fetcher.Fetch(ctx, j.item)
}

// write writes the fetched documents; from is the current time.
func (w *worker[I, D]) write(from time.Duration) {
	j := w.job
	j.written, j.writing = true, from
	err := w.callWriter(j.docs)
	j.ended = w.r.now()
	j.wait = w.waited(j.ended - from)
	if err != nil {
		j.fail(err)
	}
}

func (w *worker[I, D]) callWriter(docs []D) (err error) {
	defer catch(&err)
	return w.r.p.Writer.Write(w.ctx, docs)
}

// waited returns and resets the recorded wait for the pool, which is at most the time of the write.
func (w *worker[I, D]) waited(write time.Duration) time.Duration {
	if w.wait == nil {
		return 0
	}
	return min(time.Duration(w.wait.sum.Swap(0)), write)
}

// report ends the job.
func (w *worker[I, D]) report() {
	j := w.job
	j.live = false
	defer w.r.guard()
	if o := w.r.p.Observer; o != nil {
		o.Item(w.id, j.timing(w.r.begin))
	}
	w.r.sink(j)
}

// abandon ends the current job, if any, after a call of runtime.Goexit.
func (w *worker[I, D]) abandon() {
	if j := w.job; j != nil && j.live {
		j.ended = w.r.now()
		if !j.written {
			j.fetched = j.ended
		}
		j.fail(ErrGoexit)
		w.report()
	}
}

func (j *job[I, D]) stage() Stage {
	if j.written {
		return StageWrite
	}
	return StageFetch
}

func (j *job[I, D]) fail(err error) { j.err = &ItemError[I]{j.item, j.stage(), err} }

func (j *job[I, D]) timing(begin time.Time) Timing {
	t := Timing{
		Index: j.index,
		Start: begin.Add(j.began), End: begin.Add(j.ended),
		Queue: j.began, Fetch: j.fetched - j.began, Wrote: j.written, Err: j.err,
	}
	if j.err != nil {
		t.Stage = j.stage()
	}
	if j.written {
		t.Handoff = j.writing - j.fetched
		t.PoolWait = j.wait
		t.Write = j.ended - j.writing - j.wait
	}
	return t
}

// task is the work of a goroutine of a group.
type task interface {
	// work returns when all work is done.
	work()
	// abandon settles the current work after a call of runtime.Goexit; then work is called again.
	abandon()
}

// group waits for goroutines that survive runtime.Goexit.
type group struct{ sync.WaitGroup }

func (g *group) start(t task) {
	g.Add(1)
	go g.keep(t)
}

func (g *group) keep(t task) {
	returned := false
	defer func() {
		if returned {
			g.Done()
			return
		}
		defer func() { go g.keep(t) }() // also where abandon exits
		t.abandon()
	}()
	t.work()
	returned = true
}
