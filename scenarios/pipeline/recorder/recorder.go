// Package recorder is an observer of a pipeline that keeps the distribution
// of each stage, the counts and the errors of a run.
package recorder

import (
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/scenarios/pipeline"
)

// The range and precision of the histograms, in nanoseconds.
const (
	Lowest             = int64(1000)
	Highest            = int64(time.Hour)
	SignificantFigures = 3
)

// Stages names the histograms, in the order of an item's way.
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

// shard is what some of the workers fill.
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

// New makes a recorder for as many workers at once as there are processors;
// more share.
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

// Item records one item. Stages that it came to are recorded whether or not
// it failed.
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

// record counts a value out of range as the nearest in it.
func (s *shard) record(stage int, d time.Duration) {
	value := min(max(int64(d), 0), Highest)
	if value != int64(d) {
		s.clamped[stage]++
	}
	if err := s.histograms[stage].RecordValue(value); err != nil {
		s.clamped[stage]++ // not reached: the value is in range
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
	// Count of items.
	Count int
	// First is when the first of these items ended, since the first item's start.
	First time.Duration
	// Sample is the text of the first, at most 500 bytes of it.
	Sample string

	at time.Time
}
