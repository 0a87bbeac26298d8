package pipeline

import (
	"cmp"
	"slices"
	"sync"
)

// joined fetches with n workers, waits for all, and writes one by one in
// order: the program of 2017. It keeps every value until it is written.
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

// writers writes what is in the queue, until it is closed, with n workers of
// g, numbered from first on.
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
