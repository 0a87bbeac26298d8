package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"
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

func newRun[I comparable, D any](ctx context.Context, p *Pipeline[I, D],
	source func() (int, I, bool), sink func(*job[I, D])) *run[I, D] {
	if d, _ := Define(p.Strategy.Kind); d.NewSlots != nil && p.Slots == nil {
		own := *p
		own.Slots = d.NewSlots()
		p = &own
	}
	r := &run[I, D]{p: p, ctx: ctx, work: context.WithoutCancel(ctx), source: source, sink: sink}
	if p.Observer != nil {
		r.begin = time.Now()
	}
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
	case KindUnbounded, KindAdaptive:
		r.unbounded()
	case KindStaged:
		r.staged(n, m, q)
	case KindBatched:
		r.batched(n, m)
	}
	if p := r.panicked.Load(); p != nil {
		panic(p)
	}
}

// slots lets each of n workers take one item after another through fetch and write.
func (r *run[I, D]) slots(n int) {
	var g group
	for id := range n {
		s := new(slot[I, D])
		s.set(r, id, new(job[I, D]))
		g.start(s)
	}
	g.Wait()
}

// slot works on one item after another.
type slot[I comparable, D any] struct{ worker[I, D] }

func (s *slot[I, D]) work() {
	for s.next() {
		s.perform()
	}
}

// unbounded gives every item a worker of its own.
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

// single works on the item that it has.
type single[I comparable, D any] struct {
	worker[I, D]
	own job[I, D]
}

func (s *single[I, D]) work() {
	if s.job.live { // not so when it was started anew
		s.perform()
	}
}

// fetchers draws and fetches with n workers of g and hands on what is to be
// written. What fails, or yields nothing to write, is reported.
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

// now is the time since the begin of the run; 0 where nobody observes.
func (r *run[I, D]) now() time.Duration {
	if r.p.Observer == nil {
		return 0
	}
	return time.Since(r.begin)
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
