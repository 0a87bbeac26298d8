package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// run is one execution of a Pipeline: what its workers share.
type run[I comparable, D any] struct {
	p *Pipeline[I, D]
	// ctx ends the starting of items; work, which it does not reach, is what they run under.
	ctx, work context.Context
	begin     time.Time
	source    func() (index int, item I, ok bool)
	sink      func(*job[I, D])
	// panicked is the first panic outside the Fetcher and the Writer; it stops the run.
	panicked atomic.Pointer[PanicError]
}

// job is one item on its way. Times are zero without an Observer.
type job[I comparable, D any] struct {
	index int
	item  I
	docs  []D
	err   error // nil or an *ItemError[I]
	stage Stage
	// live from when it was drawn until it is reported.
	live bool

	began, fetched, writing, ended time.Time
	wait                           time.Duration // for the pool
	// parts is what batched knows of it; nil elsewhere.
	parts *parts
}

// worker is what one goroutine works with. It has one job in hand.
type worker[I comparable, D any] struct {
	r    *run[I, D]
	id   int
	job  *job[I, D]
	ctx  context.Context // of its writes
	wait *poolWait       // nil without an Observer
}

func newRun[I comparable, D any](ctx context.Context, p *Pipeline[I, D],
	source func() (int, I, bool), sink func(*job[I, D])) *run[I, D] {
	r := &run[I, D]{p: p, ctx: ctx, work: context.WithoutCancel(ctx), source: source, sink: sink}
	r.begin = r.now()
	return r
}

// run works until the source is exhausted or ctx done, and everything started
// is finished. Limit is how many workers could be of use.
func (r *run[I, D]) run(limit int) {
	s := r.p.Strategy
	n, m, q := min(s.Limit, limit), min(s.Writers, limit), min(s.Queue, limit)
	switch s.Kind {
	case KindSequential:
		r.slots(1)
	case KindBounded:
		r.slots(n)
	case KindJoined:
		r.joined(n)
	case KindUnbounded:
		r.unbounded()
	case KindStaged:
		r.staged(n, m, q)
	case KindBatched:
		newBatcher(r, m).run(n)
	}
	if p := r.panicked.Load(); p != nil {
		panic(p)
	}
}

// slots lets each of n workers take one item after another through fetch and write.
func (r *run[I, D]) slots(n int) {
	var g group
	for id := range n {
		w := r.worker(id)
		g.start(func() {
			for w.next() {
				if w.fetch() {
					w.write(w.job.fetched)
				}
				w.report()
			}
		}, w.abandon)
	}
	g.Wait()
}

// unbounded gives every item a worker of its own.
func (r *run[I, D]) unbounded() {
	var g group
	for {
		w := r.worker(0)
		if !w.next() {
			break
		}
		w.id = w.job.index
		g.start(func() {
			if !w.job.live {
				return // started anew after Goexit: all is done
			}
			if w.fetch() {
				w.write(w.job.fetched)
			}
			w.report()
		}, w.abandon)
	}
	g.Wait()
}

// fetchers draws and fetches with n workers of g and hands on what is to be
// written. What fails, or yields nothing to write, is reported.
func (r *run[I, D]) fetchers(g *group, n int, handOn func(*job[I, D])) {
	for id := range n {
		w := r.worker(id)
		g.start(func() {
			for w.next() {
				if !w.fetch() {
					w.report()
					continue
				}
				j := w.job
				w.job = new(job[I, D])
				handOn(j)
			}
		}, w.abandon)
	}
}

func (r *run[I, D]) worker(id int) *worker[I, D] {
	w := &worker[I, D]{r: r, id: id, job: new(job[I, D]), ctx: r.work}
	if r.p.Observer != nil {
		w.wait = &poolWait{Context: r.work}
		w.ctx = w.wait
	}
	return w
}

// now is the zero time where nobody observes.
func (r *run[I, D]) now() time.Time {
	if r.p.Observer == nil {
		return time.Time{}
	}
	return time.Now()
}

// notStarted is why items were not started; nil while ctx is not done.
func (r *run[I, D]) notStarted() error {
	if cause := context.Cause(r.ctx); cause != nil {
		return fmt.Errorf("%w: %w", ErrNotStarted, cause)
	}
	return nil
}

// guard stops the run at a panic of the surrounding function. To be deferred.
func (r *run[I, D]) guard() {
	if v := recover(); v != nil {
		r.panicked.CompareAndSwap(nil, &PanicError{Value: v, Stack: debug.Stack()})
	}
}

// next draws an item.
func (w *worker[I, D]) next() (ok bool) {
	r := w.r
	if r.ctx.Err() != nil || r.panicked.Load() != nil {
		return false
	}
	defer r.guard()
	index, item, ok := r.source()
	if ok {
		*w.job = job[I, D]{index: index, item: item, stage: StageFetch, live: true}
	}
	return ok
}

// fetch says whether there is something to write.
func (w *worker[I, D]) fetch() bool {
	j := w.job
	j.began = w.r.now()
	docs, err := w.callFetcher(j.item)
	j.fetched = w.r.now()
	j.ended = j.fetched
	if err != nil {
		j.fail(err)
		return false
	}
	j.docs = docs
	return len(docs) > 0
}

func (w *worker[I, D]) callFetcher(item I) (docs []D, err error) {
	defer catch(&err)
	return w.r.p.Fetcher.Fetch(w.r.work, item)
}

// write writes what was fetched, from a time on that was just taken.
func (w *worker[I, D]) write(from time.Time) {
	j := w.job
	j.stage, j.writing = StageWrite, from
	err := w.callWriter(j.docs)
	j.ended = w.r.now()
	j.wait = w.waited(j.ended.Sub(from))
	if err != nil {
		j.fail(err)
	}
}

func (w *worker[I, D]) callWriter(docs []D) (err error) {
	defer catch(&err)
	return w.r.p.Writer.Write(w.ctx, docs)
}

// waited takes what was recorded of the wait for the pool, at most all of the write.
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

// abandon ends the job in hand, if any, after a call of runtime.Goexit.
func (w *worker[I, D]) abandon() {
	if j := w.job; j.live {
		j.ended = w.r.now()
		if j.stage == StageFetch {
			j.fetched = j.ended
		}
		j.fail(ErrGoexit)
		w.report()
	}
}

func (j *job[I, D]) fail(err error) { j.err = &ItemError[I]{j.item, j.stage, err} }

func (j *job[I, D]) timing(begin time.Time) Timing {
	t := Timing{Start: j.began, End: j.ended, Queue: j.began.Sub(begin), Fetch: j.fetched.Sub(j.began), Err: j.err}
	if j.err != nil {
		t.Stage = j.stage
	}
	if j.stage == StageWrite {
		t.Wrote = true
		t.Handoff = j.writing.Sub(j.fetched)
		t.PoolWait = j.wait
		t.Write = j.ended.Sub(j.writing) - j.wait
	}
	return t
}

// group waits for goroutines that survive runtime.Goexit.
type group struct{ sync.WaitGroup }

// start runs loop in a goroutine until it returns. Where a call of
// runtime.Goexit ends it instead, abandon settles what was in hand and loop
// is started anew.
func (g *group) start(loop, abandon func()) {
	g.Add(1)
	go g.keep(loop, abandon)
}

func (g *group) keep(loop, abandon func()) {
	returned := false
	defer func() {
		if returned {
			g.Done()
			return
		}
		defer func() { go g.keep(loop, abandon) }() // also where abandon exits
		abandon()
	}()
	loop()
	returned = true
}
