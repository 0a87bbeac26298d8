package pipeline

import (
	"cmp"
	"errors"
	"slices"
	"sync"
)

// collected keeps the values of a Run, and its failures.
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

// join gives all failures in the order of items, those never started last.
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

// rest draws what the run never started.
func (o *outcomes[I, D]) rest(next func() (int, I, bool), cause error) {
	for {
		index, item, ok := next()
		if !ok {
			return
		}
		o.give(Outcome[I, D]{Index: index, Item: item, Err: &ItemError[I]{item, StageQueue, cause}})
	}
}
