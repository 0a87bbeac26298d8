package pipeline

import (
	"fmt"
	"time"
)

// Kind names a strategy.
type Kind string

// The kinds of strategy.
const (
	KindSequential Kind = "sequential"
	KindJoined     Kind = "joined"
	KindUnbounded  Kind = "unbounded"
	KindBounded    Kind = "bounded"
	KindStaged     Kind = "staged"
	KindBatched    Kind = "batched"
)

// maxWorkers bounds every number of goroutines that a Strategy may ask for.
const maxWorkers = 1 << 20

// maxHeld bounds Queue and Batch, whose memory is set aside.
const maxHeld = 1 << 24

// Strategy says how items are scheduled. Use a constructor; the zero value is invalid.
type Strategy struct {
	Kind Kind
	// Limit is how many items are fetched at once: joined, bounded, staged, batched.
	Limit int
	// Writers is how many writes run at once: staged, batched.
	Writers int
	// Queue is how many fetched items may wait for a writer: staged. 0: none.
	Queue int
	// Batch is how many documents a bulk holds at most: batched.
	Batch int
	// Linger is how long a bulk that is not full waits for more: batched. 0: not at all
	// where a writer is free.
	Linger time.Duration
}

// Sequential fetches and writes one item after another.
func Sequential() Strategy { return Strategy{Kind: KindSequential} }

// Joined fetches n items at once and, when all are fetched, writes one by one
// in the order of the items.
func Joined(n int) Strategy { return Strategy{Kind: KindJoined, Limit: n} }

// Unbounded fetches and writes every item in a goroutine of its own.
func Unbounded() Strategy { return Strategy{Kind: KindUnbounded} }

// Bounded gives n slots; an item holds one until its write is done.
func Bounded(n int) Strategy { return Strategy{Kind: KindBounded, Limit: n} }

// Staged fetches n items at once and writes m at once from a queue of q. When
// the queue is full fetching waits: at most n+q+m items are fetched and not written.
func Staged(n, m, q int) Strategy {
	return Strategy{Kind: KindStaged, Limit: n, Writers: m, Queue: q}
}

// Batched fetches n items at once and writes m bulks at once of at most b
// documents each, from several items or from a part of one. At most n items
// and m+1 bulks are fetched and not written.
func Batched(n, m, b int, linger time.Duration) Strategy {
	return Strategy{Kind: KindBatched, Limit: n, Writers: m, Batch: b, Linger: linger}
}

// String is the strategy as in "bounded(10)" or "batched(10, 2, 100, 5ms)".
func (s Strategy) String() string {
	switch s.Kind {
	case KindJoined, KindBounded:
		return fmt.Sprintf("%s(%d)", s.Kind, s.Limit)
	case KindStaged:
		return fmt.Sprintf("%s(%d, %d, %d)", s.Kind, s.Limit, s.Writers, s.Queue)
	case KindBatched:
		return fmt.Sprintf("%s(%d, %d, %d, %v)", s.Kind, s.Limit, s.Writers, s.Batch, s.Linger)
	}
	return string(s.Kind)
}

// parameter is one number of a Strategy and what it may be. A parameter that
// a kind does not use has to be zero: 0 to 0.
type parameter struct {
	name       string
	value      int64
	least, top int64
}

// Validate says in words what is impossible.
func (s Strategy) Validate() error {
	var limit, writers, queue, batch, linger [2]int64
	atLeastOne := [2]int64{1, maxWorkers}
	switch s.Kind {
	case KindSequential, KindUnbounded:
	case KindJoined, KindBounded:
		limit = atLeastOne
	case KindStaged:
		limit, writers, queue = atLeastOne, atLeastOne, [2]int64{0, maxHeld}
	case KindBatched:
		limit, writers, batch, linger = atLeastOne, atLeastOne, [2]int64{1, maxHeld}, [2]int64{0, int64(time.Hour)}
	default:
		return fmt.Errorf("strategy %q: unknown; allowed: %s, %s, %s, %s, %s, %s", s.Kind,
			KindSequential, KindJoined, KindUnbounded, KindBounded, KindStaged, KindBatched)
	}
	for _, p := range []parameter{
		{"limit", int64(s.Limit), limit[0], limit[1]},
		{"writers", int64(s.Writers), writers[0], writers[1]},
		{"queue", int64(s.Queue), queue[0], queue[1]},
		{"batch", int64(s.Batch), batch[0], batch[1]},
		{"linger", int64(s.Linger), linger[0], linger[1]},
	} {
		if err := p.check(s.Kind); err != nil {
			return err
		}
	}
	return nil
}

func (p parameter) check(kind Kind) error {
	text := func(n int64) string {
		if p.name == "linger" {
			return time.Duration(n).String()
		}
		return fmt.Sprint(n)
	}
	switch {
	case p.top == 0 && p.value != 0:
		return fmt.Errorf("strategy %s: %s %s: this strategy has none", kind, p.name, text(p.value))
	case p.value < p.least || p.value > p.top:
		return fmt.Errorf("strategy %s: %s %s: allowed: %s to %s", kind, p.name, text(p.value), text(p.least), text(p.top))
	}
	return nil
}
