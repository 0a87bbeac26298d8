package pipeline

import (
	"cmp"
	"container/heap"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Kind names a strategy.
type Kind string

// The kinds of strategy; [Strategies] describes each.
const (
	KindSequential Kind = "sequential"
	KindJoined     Kind = "joined"
	KindUnbounded  Kind = "unbounded"
	KindBounded    Kind = "bounded"
	KindStaged     Kind = "staged"
	KindBatched    Kind = "batched"
	KindAdaptive   Kind = "adaptive"
)

// Writing names the place where a strategy writes what it has fetched.
type Writing string

// The places where items are written.
const (
	// WritesInSlot holds the slot of an item from its fetch until its write is done.
	WritesInSlot Writing = "in the slot"
	// WritesAfterwards writes sequentially once all items are fetched.
	WritesAfterwards Writing = "afterwards"
	// WritesApart hands items on to writers of their own.
	WritesApart Writing = "apart"
)

// Definition is the entry of one strategy in the table of [Strategies]: all that
// other packages know about it.
type Definition struct {
	Kind Kind
	// Summary describes the strategy in one line.
	Summary string
	// Parameters of the strategy, in the order in which Strategy.String prints them.
	Parameters []Parameter
	// Writing is the place where items are written. Only strategies that write in
	// the slot work with [Pipeline.Slots].
	Writing Writing
	// AtOnce returns the most concurrent fetches and writes; 0 means any number.
	AtOnce func(s Strategy) (fetches, writes int)
	// Ideal returns the makespan of one batch if only its fetches, with the given delays,
	// and its writes, of the given duration, took time; 0 means that it is unknown.
	Ideal func(s Strategy, delays []time.Duration, write time.Duration) time.Duration
	// Simulated reports whether the simulation of what-if plans knows the strategy.
	Simulated bool
	// Shareable reports whether all reports of a service can share its limit.
	Shareable bool
	// NewSlots makes the slots whose number a valid strategy finds at run time; nil
	// means that it does not look for one.
	NewSlots func(Strategy) Slots
	// Algorithms are those by which it can look; nil means that it has none.
	Algorithms []Algorithm
}

var strategies = []Definition{
	{
		Kind: KindSequential, Summary: "fetches and writes one item after another",
		Writing: WritesInSlot, Simulated: true,
		AtOnce: func(Strategy) (int, int) { return 1, 1 },
		Ideal: func(_ Strategy, delays []time.Duration, write time.Duration) time.Duration {
			return inSlots(delays, write, 1)
		},
	},
	{
		Kind: KindJoined, Summary: "fetches up to limit items at once, waits for all of them and writes sequentially",
		Parameters: []Parameter{Limit},
		Writing:    WritesAfterwards, Simulated: true,
		AtOnce: func(s Strategy) (int, int) { return s.Limit, 1 },
		Ideal: func(s Strategy, delays []time.Duration, write time.Duration) time.Duration {
			return last(schedule(nil, delays, s.Limit)) + time.Duration(len(delays))*write
		},
	},
	{
		Kind: KindUnbounded, Summary: "fetches and writes every item in a goroutine of its own",
		Writing: WritesInSlot, Simulated: true,
		AtOnce: func(Strategy) (int, int) { return 0, 0 },
		Ideal: func(_ Strategy, delays []time.Duration, write time.Duration) time.Duration {
			return inSlots(delays, write, len(delays))
		},
	},
	{
		Kind: KindBounded, Summary: "has limit slots; an item holds one until its write is done",
		Parameters: []Parameter{Limit},
		Writing:    WritesInSlot, Simulated: true, Shareable: true,
		AtOnce: func(s Strategy) (int, int) { return s.Limit, s.Limit },
		Ideal: func(s Strategy, delays []time.Duration, write time.Duration) time.Duration {
			return inSlots(delays, write, s.Limit)
		},
	},
	{
		Kind: KindStaged, Summary: "fetches up to limit items at once and writes with writers behind a queue: backpressure",
		Parameters: []Parameter{Limit, Writers, Queue},
		Writing:    WritesApart, Simulated: true,
		AtOnce: func(s Strategy) (int, int) { return s.Limit, s.Writers },
		Ideal: func(s Strategy, delays []time.Duration, write time.Duration) time.Duration {
			fetched := schedule(nil, delays, s.Limit)
			return last(schedule(fetched, add(make([]time.Duration, len(delays)), write), s.Writers))
		},
	},
	{
		Kind: KindBatched, Summary: "fetches up to limit items at once and writes bulks of at most batch documents with writers",
		Parameters: []Parameter{Limit, Writers, Batch, Linger},
		Writing:    WritesApart,
		AtOnce:     func(s Strategy) (int, int) { return s.Limit, s.Writers },
		Ideal: func(s Strategy, delays []time.Duration, write time.Duration) time.Duration {
			return last(schedule(nil, delays, s.Limit)) + write // at least one bulk write follows the last fetch
		},
	},
	{
		Kind: KindAdaptive, Summary: "finds the number of slots at run time; an item holds one until its write is done",
		Writing: WritesInSlot, NewSlots: newAdaptiveSlots, Algorithms: algorithms,
		AtOnce: func(s Strategy) (int, int) { return int(s.Settings["max"]), int(s.Settings["max"]) },
		Ideal:  func(Strategy, []time.Duration, time.Duration) time.Duration { return 0 },
	},
}

// Strategies returns the table of all strategies. A strategy is an entry here
// and its implementation in the package; all else follows from the entry.
func Strategies() []Definition { return slices.Clone(strategies) }

// Define returns the definition of a kind; false means that there is no such strategy.
func Define(kind Kind) (Definition, bool) {
	i := slices.IndexFunc(strategies, func(d Definition) bool { return d.Kind == kind })
	if i < 0 {
		return Definition{}, false
	}
	return strategies[i], true
}

// Kinds returns the names of the strategies for which fit is true, or of all if fit is nil.
func Kinds(fit func(Definition) bool) []string {
	var names []string
	for _, d := range strategies {
		if fit == nil || fit(d) {
			names = append(names, string(d.Kind))
		}
	}
	return names
}

// Has reports whether the strategy has the parameter of that name.
func (d Definition) Has(parameter string) bool {
	return slices.ContainsFunc(d.Parameters, func(p Parameter) bool { return p.Name == parameter })
}

// Parameter is a number of a Strategy that only some strategies have.
type Parameter struct {
	// Name of the parameter in a scenario file.
	Name string
	// Summary describes the parameter in one line.
	Summary string
	// Min and Max bound the value, in nanoseconds if it is a duration. A parameter
	// whose least value is 0 may be omitted.
	Min, Max int64
	// Duration reports whether the parameter is a duration.
	Duration bool
	// AtOnce reports whether the parameter bounds the work in progress.
	AtOnce bool

	of func(Strategy) int64
}

// maxWorkers bounds the numbers of goroutines of a Strategy.
const maxWorkers = 1_000_000

// The parameters of strategies.
var (
	Limit   = Parameter{Name: "limit", Summary: "Concurrent fetches", Min: 1, Max: maxWorkers, AtOnce: true, of: func(s Strategy) int64 { return int64(s.Limit) }}
	Writers = Parameter{Name: "writers", Summary: "Concurrent writes", Min: 1, Max: maxWorkers, AtOnce: true, of: func(s Strategy) int64 { return int64(s.Writers) }}
	Queue   = Parameter{Name: "queue", Summary: "Values that may wait for a writer", Max: 1_000_000, of: func(s Strategy) int64 { return int64(s.Queue) }}
	// Batch is at most the number of documents that MongoDB accepts in one bulk write.
	Batch  = Parameter{Name: "batch", Summary: "Most documents in one bulk write", Min: 1, Max: 100_000, of: func(s Strategy) int64 { return int64(s.Batch) }}
	Linger = Parameter{
		Name: "linger", Summary: "Time for which a bulk write that is not full waits for more documents",
		Max: int64(time.Hour), Duration: true, of: func(s Strategy) int64 { return int64(s.Linger) },
	}
)

// Parameters returns the parameters of all strategies.
func Parameters() []Parameter { return []Parameter{Limit, Writers, Queue, Batch, Linger} }

// text renders a value of the parameter.
func (p Parameter) text(value int64) string {
	if p.Duration {
		return time.Duration(value).String()
	}
	return fmt.Sprint(value)
}

// Strategy determines how items are scheduled. Use a constructor; the zero value is invalid.
type Strategy struct {
	Kind Kind
	// Limit is the most concurrent fetches, for joined, bounded, staged and batched.
	Limit int
	// Writers is the most concurrent writes, for staged and batched.
	Writers int
	// Queue is the number of fetched items that may wait for a writer, for staged.
	Queue int
	// Batch is the most documents in a bulk, for batched.
	Batch int
	// Linger is the time for which a bulk that is not full waits for more documents, for
	// batched. Zero means that it does not wait if a writer is free.
	Linger time.Duration
	// Algorithm is the name of one of [Algorithms], for adaptive; empty means
	// [DefaultAlgorithm].
	Algorithm string
	// Settings tune Algorithm, by the names of its settings; those that are missing have
	// their defaults. Durations are in nanoseconds.
	Settings map[string]float64
}

// Equal reports whether both strategies are the same.
func (s Strategy) Equal(o Strategy) bool {
	return maps.Equal(s.Settings, o.Settings) && s.Kind == o.Kind && s.Limit == o.Limit && s.Writers == o.Writers &&
		s.Queue == o.Queue && s.Batch == o.Batch && s.Linger == o.Linger && s.Algorithm == o.Algorithm
}

// Sequential fetches and writes one item after another.
func Sequential() Strategy { return Strategy{Kind: KindSequential} }

// Joined fetches n items at once and, when all are fetched, writes sequentially
// in the order of the items.
func Joined(n int) Strategy { return Strategy{Kind: KindJoined, Limit: n} }

// Unbounded fetches and writes every item in a goroutine of its own.
func Unbounded() Strategy { return Strategy{Kind: KindUnbounded} }

// Bounded gives n slots; an item holds one until its write is done.
func Bounded(n int) Strategy { return Strategy{Kind: KindBounded, Limit: n} }

// Staged fetches n items at once and writes m at once from a queue of q. Fetching waits
// while the queue is full: at most n+q+m items are fetched and not written.
func Staged(n, m, q int) Strategy {
	return Strategy{Kind: KindStaged, Limit: n, Writers: m, Queue: q}
}

// Batched fetches n items at once and writes m bulks at once of at most b
// documents each, from several items or from a part of one. At most n items
// and m+1 bulks are fetched and not written.
func Batched(n, m, b int, linger time.Duration) Strategy {
	return Strategy{Kind: KindBatched, Limit: n, Writers: m, Batch: b, Linger: linger}
}

// Adaptive works like [Unbounded] within [Pipeline.Slots] or, without them, within slots
// of its own, whose number one of [Algorithms] finds. An empty name means
// [DefaultAlgorithm], and nil settings mean its defaults.
func Adaptive(algorithm string, settings map[string]float64) Strategy {
	return Strategy{Kind: KindAdaptive, Algorithm: algorithm, Settings: settings}
}

// String formats the strategy as in "bounded(10)", "batched(10, 2, 100, 5ms)" or
// "adaptive(vegas, alpha 2)".
func (s Strategy) String() string {
	d, _ := Define(s.Kind)
	if a, known := DefineAlgorithm(s.Algorithm); known && s.Algorithm != "" {
		words := []string{a.Name}
		for _, setting := range a.Settings {
			if v, set := s.Settings[setting.Name]; set {
				words = append(words, setting.Name+" "+setting.Text(v))
			}
		}
		return fmt.Sprintf("%s(%s)", s.Kind, strings.Join(words, ", "))
	}
	if len(d.Parameters) == 0 {
		return string(s.Kind)
	}
	values := make([]string, len(d.Parameters))
	for i, p := range d.Parameters {
		values[i] = p.text(p.of(s))
	}
	return fmt.Sprintf("%s(%s)", s.Kind, strings.Join(values, ", "))
}

// AtOnce returns the strategy's most concurrent fetches and writes. 0 means any number,
// and is also the result for an unknown kind.
func (s Strategy) AtOnce() (fetches, writes int) {
	if d, ok := Define(s.Kind); ok {
		return d.AtOnce(s)
	}
	return 0, 0
}

// Ideal returns the ideal makespan of one batch; see [Definition].Ideal. It is 0 for an
// unknown kind.
func (s Strategy) Ideal(delays []time.Duration, write time.Duration) time.Duration {
	if d, ok := Define(s.Kind); ok {
		return d.Ideal(s, delays, write)
	}
	return 0
}

// Validate returns an error if the kind is unknown or a parameter is out of bounds. A
// parameter that the strategy does not have must be 0.
func (s Strategy) Validate() error {
	d, ok := Define(s.Kind)
	if !ok {
		return fmt.Errorf("unknown strategy %q (want %s)", s.Kind, strings.Join(Kinds(nil), ", "))
	}
	for _, p := range Parameters() {
		switch v := p.of(s); {
		case !d.Has(p.Name) && v != 0:
			return fmt.Errorf("strategy %s has no %s (got %s)", s.Kind, p.Name, p.text(v))
		case d.Has(p.Name) && (v < p.Min || v > p.Max):
			return fmt.Errorf("strategy %s: %s must be from %s to %s (got %s)", s.Kind, p.Name, p.text(p.Min), p.text(p.Max), p.text(v))
		}
	}
	return s.validateAlgorithm(d)
}

func (s Strategy) validateAlgorithm(d Definition) error {
	if d.Algorithms == nil {
		if s.Algorithm != "" || len(s.Settings) > 0 {
			return fmt.Errorf("strategy %s has no algorithm (got %q)", s.Kind, s.Algorithm)
		}
		return nil
	}
	a, known := DefineAlgorithm(s.Algorithm)
	if !known {
		return fmt.Errorf("strategy %s: unknown algorithm %q (want %s)", s.Kind, s.Algorithm, strings.Join(AlgorithmNames(), ", "))
	}
	if _, err := a.complete(s.Settings); err != nil {
		return fmt.Errorf("strategy %s: %w", s.Kind, err)
	}
	return nil
}

// inSlots returns the ideal makespan of items that hold one of n slots until their
// write is done.
func inSlots(delays []time.Duration, write time.Duration, n int) time.Duration {
	return last(schedule(nil, add(delays, write), n))
}

// schedule runs jobs on slots in the order of their release, each on the first free
// slot, and returns their ends in that order. A nil release means that all are released
// at 0. (List scheduling: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies",
// SIAM J. Appl. Math. 17(2), 1969.)
func schedule(release, jobs []time.Duration, slots int) []time.Duration {
	if len(jobs) == 0 {
		return nil
	}
	slices.Sort(release)
	free := make(times, max(1, min(slots, len(jobs))))
	ends := make([]time.Duration, len(jobs))
	for i, job := range jobs {
		start := free[0]
		if release != nil {
			start = max(start, release[i])
		}
		ends[i] = start + job
		free[0] = ends[i]
		heap.Fix(&free, 0)
	}
	return ends
}

func last(ends []time.Duration) time.Duration {
	if len(ends) == 0 {
		return 0
	}
	return slices.Max(ends)
}

func add(delays []time.Duration, write time.Duration) []time.Duration {
	sums := make([]time.Duration, len(delays))
	for i, d := range delays {
		sums[i] = d + write
	}
	return sums
}

// times is a min-heap.
type times []time.Duration

func (t times) Len() int           { return len(t) }
func (t times) Less(i, j int) bool { return cmp.Less(t[i], t[j]) }
func (t times) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *times) Push(x any)        { *t = append(*t, x.(time.Duration)) }
func (t *times) Pop() any          { panic("never shrinks") }
