package trace

import (
	"cmp"
	"container/heap"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The share of traces that are kept.
const (
	// OneIn is that of the regular sample: every 100th item.
	OneIn = 100
	// slowShare is that of the slowest: 1 %.
	slowShare = 100
	// mostKept bounds the regular sample and the slowest of a trial, each.
	mostKept = 1000
)

// Sampling says which items or requests of a trial keep their traces.
type Sampling struct {
	// OneIn keeps every OneIn-th one, the first included.
	OneIn int `json:"one_in"`
	// Slowest is the number of the slowest that are kept beside those.
	Slowest int `json:"slowest"`
}

// SamplingOf returns the sampling of a trial with a number of items or requests: 1 in 100
// and the slowest 1 %, and at most 1,000 of each.
func SamplingOf(n int) Sampling {
	up := func(n, by int) int { return (max(n, 1) + by - 1) / by }
	return Sampling{OneIn: max(OneIn, up(n, mostKept)), Slowest: min(up(n, slowShare), mostKept)}
}

// Chosen reports whether an item or request belongs to the regular sample, by its number
// from 0.
func (s Sampling) Chosen(n uint64) bool { return s.OneIn > 0 && n%uint64(s.OneIn) == 0 }

// Kept is a value that a Keeper holds.
type Kept[T any] struct {
	Value T
	// Number is that of the item or request, and Took its time.
	Number uint64
	Took   time.Duration
	// Slow means that it is among the slowest.
	Slow bool
}

// Keeper keeps values that are chosen and the slowest of all, in memory that does not grow with the number of
// values beyond those that are chosen. It is safe for concurrent use. Use NewKeeper.
type Keeper[T any] struct {
	most int // of the slowest
	// bar is the least time of the slowest, once there are as many as wanted.
	bar atomic.Int64

	mu      sync.Mutex
	chosen  []Kept[T]
	slowest slowest[T]
}

// NewKeeper returns an empty Keeper of a number of the slowest.
func NewKeeper[T any](slowest int) *Keeper[T] {
	k := &Keeper[T]{most: slowest}
	k.bar.Store(-1)
	return k
}

// Add offers a value, which make returns if it is kept for now. chosen keeps it in any case.
func (k *Keeper[T]) Add(number uint64, chosen bool, took time.Duration, make func() T) {
	if !chosen && (k.most == 0 || int64(took) <= k.bar.Load()) {
		return
	}
	v := Kept[T]{Value: make(), Number: number, Took: took}
	k.mu.Lock()
	defer k.mu.Unlock()
	if chosen {
		k.chosen = append(k.chosen, v)
	}
	if k.most == 0 {
		return
	}
	heap.Push(&k.slowest, v)
	if len(k.slowest) > k.most {
		heap.Pop(&k.slowest)
	}
	if len(k.slowest) == k.most {
		k.bar.Store(int64(k.slowest[0].Took))
	}
}

// Kept returns the values, by their numbers.
func (k *Keeper[T]) Kept() []Kept[T] {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := slices.Clone(k.slowest)
	slow := make(map[uint64]bool, len(all))
	for i := range all {
		all[i].Slow = true
		slow[all[i].Number] = true
	}
	for _, v := range k.chosen {
		if !slow[v.Number] {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b Kept[T]) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

// slowest is a heap with the fastest first; of equals, the one that came last by number.
type slowest[T any] []Kept[T]

func (s slowest[T]) Len() int { return len(s) }
func (s slowest[T]) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(s[i].Took, s[j].Took), cmp.Compare(s[j].Number, s[i].Number)) < 0
}
func (s slowest[T]) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *slowest[T]) Push(v any)   { *s = append(*s, v.(Kept[T])) }
func (s *slowest[T]) Pop() any {
	last := len(*s) - 1
	v := (*s)[last]
	*s = (*s)[:last]
	return v
}
