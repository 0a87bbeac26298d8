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
	w := r.worker(0)
	g.start(func() {
		for len(fetched) > 0 {
			w.job, fetched[0] = fetched[0], nil
			fetched = fetched[1:]
			w.write(r.now())
			w.report()
		}
	}, w.abandon)
	g.Wait()
}

// staged has n fetchers, a queue of q, and m writers.
func (r *run[I, D]) staged(n, m, q int) {
	queue := make(chan *job[I, D], q)
	var fetchers, writers group
	r.fetchers(&fetchers, n, func(j *job[I, D]) { queue <- j })
	for id := range m {
		w := r.worker(n + id)
		writers.start(func() {
			for j := range queue {
				w.job = j
				w.write(r.now())
				w.report()
			}
		}, w.abandon)
	}
	fetchers.Wait()
	close(queue)
	writers.Wait()
}
