package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// run is one execution of a Pipeline: the state shared by its workers.
type run[I comparable, D any] struct {
	p *Pipeline[I, D]
	// ctx stops the starting of items; work is their context, which is not canceled with ctx.
	ctx, work context.Context
	begin     time.Time
	source    func() (index int, item I, ok bool)
	sink      func(*job[I, D])
	// panicked is the first panic outside the Fetcher and the Writer; it stops the run.
	panicked atomic.Pointer[PanicError]
}

func newRun[I comparable, D any](ctx context.Context, p *Pipeline[I, D],
	source func() (int, I, bool), sink func(*job[I, D])) *run[I, D] {
	if d, _ := Define(p.Strategy.Kind); d.NewSlots != nil && p.Slots == nil {
		own := *p
		own.Slots = d.NewSlots(p.Strategy)
		p = &own
	}
	r := &run[I, D]{p: p, ctx: ctx, work: context.WithoutCancel(ctx), source: source, sink: sink}
	if p.Observer != nil {
		r.begin = time.Now()
	}
	return r
}

// run works until the source is exhausted or ctx is done, and all started items
// are finished. limit is the number of useful workers.
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
	case KindUnbounded, KindAdaptive:
		r.unbounded()
	case KindStaged:
		r.staged(n, m, q)
	case KindBatched:
		r.batched(n, m)
	default:
		panic(fmt.Sprintf("pipeline: strategy %s is in the table but not implemented", s.Kind))
	}
	if p := r.panicked.Load(); p != nil {
		panic(p)
	}
}

// slots runs n workers, each of which fetches and writes one item after another.
func (r *run[I, D]) slots(n int) {
	var g group
	for id := range n {
		s := new(slot[I, D])
		s.set(r, id, new(job[I, D]))
		g.start(s)
	}
	g.Wait()
}

// slot processes one item after another.
type slot[I comparable, D any] struct{ worker[I, D] }

func (s *slot[I, D]) work() {
	for s.next() {
		s.perform()
	}
}

// unbounded starts a worker for every item.
func (r *run[I, D]) unbounded() {
	var g group
	for {
		s := new(single[I, D])
		s.set(r, 0, &s.own)
		if !s.next() {
			break
		}
		s.id = s.job.index
		g.start(s)
	}
	g.Wait()
}

// single processes one item.
type single[I comparable, D any] struct {
	worker[I, D]
	own job[I, D]
}

func (s *single[I, D]) work() {
	if s.job.live { // false after runtime.Goexit
		s.perform()
	}
}

// fetchers draws and fetches with n workers of g and hands on items with documents.
// It reports items that fail or have no documents.
func (r *run[I, D]) fetchers(g *group, n int, handOn func(*job[I, D])) {
	for id := range n {
		f := &fetcher[I, D]{handOn: handOn}
		f.set(r, id, new(job[I, D]))
		g.start(f)
	}
}

// fetcher hands its jobs on.
type fetcher[I comparable, D any] struct {
	worker[I, D]
	handOn func(*job[I, D])
}

func (f *fetcher[I, D]) work() {
	for f.next() {
		if !f.fetch() {
			f.report()
			continue
		}
		j := f.job
		f.job = new(job[I, D])
		f.handOn(j)
	}
}

// now returns the time since the start of the run, or zero without an Observer.
func (r *run[I, D]) now() time.Duration {
	if r.p.Observer == nil {
		return 0
	}
	return time.Since(r.begin)
}

// notStarted returns the reason why items were not started, or nil while ctx is not done.
func (r *run[I, D]) notStarted() error {
	if cause := context.Cause(r.ctx); cause != nil {
		return fmt.Errorf("%w: %w", ErrNotStarted, cause)
	}
	return nil
}

// guard stops the run at a panic of the surrounding function. It must be deferred.
func (r *run[I, D]) guard() {
	if v := recover(); v != nil {
		r.panicked.CompareAndSwap(nil, &PanicError{Value: v, Stack: debug.Stack()})
	}
}

// joined fetches with n workers, waits for all, and writes sequentially in order,
// like the program of 2017. It keeps every value until its write.
func (r *run[I, D]) joined(n int) {
	var (
		g       group
		mu      sync.Mutex
		fetched []*job[I, D]
	)
	r.fetchers(&g, n, func(j *job[I, D]) {
		mu.Lock()
		defer mu.Unlock()
		fetched = append(fetched, j)
	})
	g.Wait()
	slices.SortFunc(fetched, func(a, b *job[I, D]) int { return cmp.Compare(a.index, b.index) })
	queue := make(chan *job[I, D], len(fetched))
	for _, j := range fetched {
		queue <- j
	}
	close(queue)
	r.writers(&g, 0, 1, queue)
	g.Wait()
}

// staged has n fetchers, a queue of q, and m writers.
func (r *run[I, D]) staged(n, m, q int) {
	queue := make(chan *job[I, D], q)
	var fetchers, writers group
	r.fetchers(&fetchers, n, func(j *job[I, D]) { queue <- j })
	r.writers(&writers, n, m, queue)
	fetchers.Wait()
	close(queue)
	writers.Wait()
}

// writers writes the jobs of the queue until it is closed, with n workers of g,
// numbered from first.
func (r *run[I, D]) writers(g *group, first, n int, queue <-chan *job[I, D]) {
	for id := range n {
		w := &writer[I, D]{queue: queue}
		w.set(r, first+id, nil)
		g.start(w)
	}
}

// writer writes the jobs of a queue.
type writer[I comparable, D any] struct {
	worker[I, D]
	queue <-chan *job[I, D]
}

func (w *writer[I, D]) work() {
	for j := range w.queue {
		w.job = j
		w.write(w.r.now())
		w.report()
	}
}

// collected holds the values and the failures of a Run.
type collected[I comparable, D any] struct {
	values [][]D // by index: each is written once, so they need no lock
	mu     sync.Mutex
	failed []failure
}

type failure struct {
	index int
	err   error
}

func (c *collected[I, D]) add(j *job[I, D]) {
	c.values[j.index] = j.docs
	if j.err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.failed = append(c.failed, failure{j.index, j.err})
	}
}

// join returns all failures in the order of items, followed by the items never started.
func (c *collected[I, D]) join(never []I, cause error) error {
	slices.SortFunc(c.failed, func(a, b failure) int { return cmp.Compare(a.index, b.index) })
	errs := make([]error, 0, len(c.failed)+len(never))
	for _, f := range c.failed {
		errs = append(errs, f.err)
	}
	for _, item := range never {
		errs = append(errs, &ItemError[I]{item, StageQueue, cause})
	}
	return errors.Join(errs...)
}

// outcomes hands the outcomes of a Stream to its caller, one at a time.
type outcomes[I comparable, D any] struct {
	mu       sync.Mutex
	each     func(Outcome[I, D])
	failures Failures
}

func (o *outcomes[I, D]) add(j *job[I, D]) {
	o.give(Outcome[I, D]{Index: j.index, Item: j.item, Docs: j.docs, Err: j.err})
}

func (o *outcomes[I, D]) give(outcome Outcome[I, D]) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if outcome.Err != nil {
		o.failures.add(outcome.Err)
	}
	if o.each != nil {
		o.each(outcome)
	}
}

// rest draws the items that the run never started.
func (o *outcomes[I, D]) rest(next func() (int, I, bool), cause error) {
	for {
		index, item, ok := next()
		if !ok {
			return
		}
		o.give(Outcome[I, D]{Index: index, Item: item, Err: &ItemError[I]{item, StageQueue, cause}})
	}
}
