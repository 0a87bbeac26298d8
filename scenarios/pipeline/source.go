package pipeline

import (
	"iter"
	"sync"
	"sync/atomic"
)

// sliceSource hands out the items of a slice to several goroutines.
type sliceSource[I any] struct {
	items  []I
	cursor atomic.Int64
}

func (s *sliceSource[I]) next() (index int, item I, ok bool) {
	i := int(s.cursor.Add(1)) - 1
	if i >= len(s.items) {
		return 0, item, false
	}
	return i, s.items[i], true
}

// taken returns the number of items handed out.
func (s *sliceSource[I]) taken() int { return min(int(s.cursor.Load()), len(s.items)) }

// seqSource hands out the items of an iterator to several goroutines, each once.
type seqSource[I comparable] struct {
	mu    sync.Mutex
	pull  func() (I, bool)
	stop  func()
	index int
	seen  map[I]struct{} // nil means that items are distinct
	// exhausted reports that the iterator ended while the run was not canceled.
	exhausted atomic.Bool
}

func newSeqSource[I comparable](items iter.Seq[I], dedupe bool) *seqSource[I] {
	s := new(seqSource[I])
	s.pull, s.stop = iter.Pull(items)
	if dedupe {
		s.seen = make(map[I]struct{})
	}
	return s
}

func (s *seqSource[I]) next() (index int, item I, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if item, ok = s.pull(); !ok {
			return 0, item, false
		}
		index = s.index
		s.index++
		if s.seen == nil {
			return index, item, true
		}
		if _, again := s.seen[item]; !again {
			s.seen[item] = struct{}{}
			return index, item, true
		}
	}
}

// dedupe returns the distinct items in order of first occurrence and, for each
// of items, its position among them. The positions are nil if there are no duplicates.
func dedupe[I comparable](items []I) (distinct []I, position []int) {
	seen := make(map[I]int, len(items))
	distinct = items
	for i, item := range items {
		first, again := seen[item]
		if !again {
			first = i
			if position != nil {
				first = len(distinct)
				distinct = append(distinct, item)
			}
			seen[item] = first
		} else if position == nil {
			distinct = append(make([]I, 0, len(items)-1), items[:i]...)
			position = make([]int, i, len(items))
			for k := range position {
				position[k] = k
			}
		}
		if position != nil {
			position = append(position, first)
		}
	}
	return distinct, position
}

// spread maps values of the distinct items back to all items.
func spread[V any](values []V, position []int) []V {
	if position == nil {
		return values
	}
	all := make([]V, len(position))
	for i, p := range position {
		all[i] = values[p]
	}
	return all
}
