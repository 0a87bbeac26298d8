// Package recorder records the distribution of each stage, the counts and the
// errors of a pipeline's run:
//
//	r := recorder.New()
//	p := &pipeline.Pipeline[string, Doc]{Observer: r, …}
//	_, err := p.Run(ctx, items)
//	sum := r.Summary()
//	fmt.Println(sum.Done, sum.Failed, sum.Makespan)
//	p99 := sum.Histograms["fetch"].ValueAtQuantile(99) // in nanoseconds
package recorder

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"floodgate/scenarios/pipeline"
	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range and precision of the histograms, in nanoseconds.
const (
	Lowest             = int64(1000)
	Highest            = int64(time.Hour)
	SignificantFigures = 3
)

// Stages returns the names of the histograms, in the order of an item's stages.
func Stages() []string {
	return []string{"queue", "fetch", "handoff", "pool_wait", "write", "item"}
}

const stages = 6

// Sides of an error.
const (
	Upstream = "upstream"
	Mongo    = "mongo"
)

// Recorder is a pipeline.Observer. Use New.
type Recorder struct {
	shards []shard
}

// shard is filled by some of the workers.
type shard struct {
	mu           sync.Mutex
	histograms   [stages]*hdrhistogram.Histogram
	clamped      [stages]int
	first, last  time.Time
	done, failed int
	errors       map[key]*Failure
	_            [64]byte // two shards on one cache line would slow each other
}

type key struct{ kind, side string }

// New returns a recorder with a shard for each processor.
func New() *Recorder {
	r := &Recorder{shards: make([]shard, runtime.GOMAXPROCS(0))}
	for i := range r.shards {
		s := &r.shards[i]
		s.errors = make(map[key]*Failure)
		for stage := range s.histograms {
			s.histograms[stage] = newHistogram()
		}
	}
	return r
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(Lowest, Highest, SignificantFigures)
}

// Item records one item. It records the stages that the item reached, even if the
// item failed.
func (r *Recorder) Item(worker int, t pipeline.Timing) {
	s := &r.shards[worker%len(r.shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first.IsZero() || t.Start.Before(s.first) {
		s.first = t.Start
	}
	if t.End.After(s.last) {
		s.last = t.End
	}
	s.record(0, t.Queue)
	s.record(1, t.Fetch)
	if t.Wrote {
		s.record(2, t.Handoff)
		s.record(3, t.PoolWait)
		s.record(4, t.Write)
	}
	s.record(5, t.End.Sub(t.Start))
	if t.Err == nil {
		s.done++
		return
	}
	s.failed++
	s.fail(t)
}

// record records a value; one out of range counts as the nearest value in it.
func (s *shard) record(stage int, d time.Duration) {
	value := min(max(int64(d), 0), Highest)
	if value != int64(d) {
		s.clamped[stage]++
	}
	if err := s.histograms[stage].RecordValue(value); err != nil {
		s.clamped[stage]++ // unreachable: the value is in range
	}
}

func (s *shard) fail(t pipeline.Timing) {
	k := key{pipeline.ErrorType(t.Err), Upstream}
	if t.Stage == pipeline.StageWrite {
		k.side = Mongo
	}
	f := s.errors[k]
	if f == nil {
		f = &Failure{Type: k.kind, Side: k.side, at: t.End, Sample: sample(t.Err)}
		s.errors[k] = f
	}
	if t.End.Before(f.at) {
		f.at, f.Sample = t.End, sample(t.Err)
	}
	f.Count++
}

// sampleBytes bounds the text of a sample.
const sampleBytes = 500

func sample(err error) string {
	text := err.Error()
	if len(text) > sampleBytes {
		text = strings.ToValidUTF8(text[:sampleBytes], "") + "…"
	}
	return text
}

// Failure is one type of error on one side.
type Failure struct {
	Type string // see pipeline.ErrorType
	Side string // Upstream or Mongo
	// Count is the number of items.
	Count int
	// First is the end of the first of these items, counted from the first item's start.
	First time.Duration
	// Sample is the text of the first error, cut to 500 bytes.
	Sample string

	at time.Time
}

// Summary is the merged content of a Recorder.
type Summary struct {
	// Makespan is the time from the first start to the last end; zero if there were no items.
	Makespan time.Duration
	// Started is the start of the first item.
	Started time.Time
	// Done and Failed count the started items that succeeded and failed.
	Done, Failed int
	// Histograms by name of stage, see Stages; none is missing, but they may be empty.
	Histograms map[string]*hdrhistogram.Histogram
	// Failures, ordered by the time of their first item.
	Failures []Failure
	// Warnings describe inaccuracies of the histograms.
	Warnings []string
}

// Summary merges the shards. It may be called while items are recorded.
func (r *Recorder) Summary() Summary {
	sum := Summary{Histograms: make(map[string]*hdrhistogram.Histogram)}
	for _, name := range Stages() {
		sum.Histograms[name] = newHistogram()
	}
	var last time.Time
	var clamped [stages]int
	failures := make(map[key]*Failure)
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		if !s.first.IsZero() && (sum.Started.IsZero() || s.first.Before(sum.Started)) {
			sum.Started = s.first
		}
		if s.last.After(last) {
			last = s.last
		}
		sum.Done += s.done
		sum.Failed += s.failed
		for stage, name := range Stages() {
			sum.Histograms[name].Merge(s.histograms[stage])
			clamped[stage] += s.clamped[stage]
		}
		merge(failures, s.errors)
		s.mu.Unlock()
	}
	if !sum.Started.IsZero() {
		sum.Makespan = last.Sub(sum.Started)
	}
	for _, f := range failures {
		f.First = f.at.Sub(sum.Started)
		sum.Failures = append(sum.Failures, *f)
	}
	slices.SortFunc(sum.Failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.First, b.First), strings.Compare(a.Type, b.Type), strings.Compare(a.Side, b.Side))
	})
	for stage, n := range clamped {
		if n > 0 {
			sum.Warnings = append(sum.Warnings, fmt.Sprintf(
				"%s: %d values were outside 0 to %v and were recorded as the nearest value in this range",
				Stages()[stage], n, time.Duration(Highest)))
		}
	}
	return sum
}

func merge(into, from map[key]*Failure) {
	for k, f := range from {
		all := into[k]
		if all == nil {
			all = new(*f)
			into[k] = all
			continue
		}
		all.Count += f.Count
		if f.at.Before(all.at) {
			all.at, all.Sample = f.at, f.Sample
		}
	}
}
