// Package runtest makes runs for tests. They are deterministic and realistic, and
// a test can change them trial by trial:
//
//	run := runtest.New(runtest.Options{Blocks: 6, Bare: true, Change: func(t *results.Trial) bool {
//		t.Makespan *= 2
//		return true
//	}})
package runtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// Options describes a run to make; the zero value is like the scenario report.
type Options struct {
	Seed uint64
	// Blocks is the number of blocks; zero means 8.
	Blocks   int
	Levels   []scenarios.LevelSet // nil means 20, 50 and 200 items
	Variants []scenarios.Variant  // nil means those of [Variants]
	Claims   []scenarios.Claim
	// Bare omits the histograms, which take most of the time.
	Bare bool
	// Change may change a trial, or drop it by returning false; nil means no change.
	Change func(t *results.Trial) bool
}

// Variants returns the variants of the scenario report.
func Variants() []scenarios.Variant {
	return []scenarios.Variant{
		{Name: "sequential", Strategy: pipeline.KindSequential},
		{Name: "joined-10", Strategy: pipeline.KindJoined, Limit: 10},
		{Name: "joined-300", Strategy: pipeline.KindJoined, Limit: 300},
		{Name: "bounded-10", Strategy: pipeline.KindBounded, Limit: 10},
		{Name: "bounded-300", Strategy: pipeline.KindBounded, Limit: 300},
		{Name: "unbounded", Strategy: pipeline.KindUnbounded},
		{Name: "staged", Strategy: pipeline.KindStaged, Limit: 50, Writers: 4, Queue: 16},
		{Name: "batched", Strategy: pipeline.KindBatched, Limit: 50, Writers: 2, Batch: 20, Linger: scenarios.Duration(5 * time.Millisecond)},
	}
}

// New returns a run as o describes it.
func New(o Options) *results.Run {
	sc := scenario(o)
	levels, err := sc.ExpandLevels()
	if err != nil {
		panic(err)
	}
	run := &results.Run{Header: header(sc, len(levels))}
	for block := range sc.Blocks {
		for _, l := range levels {
			for _, v := range sc.Variants {
				t := trial(sc, l, v, block)
				t.Index = len(run.Trials)
				if !o.Bare {
					t.Stages = stages(l.Scenario, rand.New(rand.NewPCG(t.Seed, hash(v.Name, l.Name))))
				}
				run.Trials = append(run.Trials, t)
			}
		}
	}
	kept := run.Trials[:0]
	for i := range run.Trials {
		t := run.Trials[i]
		if o.Change == nil || o.Change(&t) {
			kept = append(kept, t)
		}
	}
	run.Trials = kept
	run.Complete = len(kept) == run.Header.Planned
	return run
}

func scenario(o Options) *scenarios.Scenario {
	sc := &scenarios.Scenario{
		Version: 1, Name: "report", Title: "A report over phone numbers", Seed: o.Seed,
		Items: scenarios.Items{Kind: "phone-numbers"}, Blocks: o.Blocks,
		Variants: o.Variants, Levels: o.Levels, Claims: o.Claims,
	}
	sc.Upstream.Latency.Kind = "lognormal"
	sc.Upstream.Latency.Median = scenarios.Duration(20 * time.Millisecond)
	sc.Upstream.Latency.Sigma = 0.5
	if sc.Blocks == 0 {
		sc.Blocks = 8
	}
	if sc.Levels == nil {
		sc.Levels = []scenarios.LevelSet{{"items": []any{20, 50, 200}}}
	}
	if sc.Variants == nil {
		sc.Variants = Variants()
	}
	return sc
}

// Budgeted sets the thresholds in the scenario of a run, and returns the run.
func Budgeted(run *results.Run, thresholds ...scenarios.Threshold) *results.Run {
	stored, err := run.Scenario()
	if err != nil {
		panic(err)
	}
	sc := *stored
	sc.Thresholds = thresholds
	if err := run.Header.SetScenario(&sc); err != nil {
		panic(err)
	}
	return run
}

func header(sc *scenarios.Scenario, levels int) results.Header {
	h := results.Header{
		Schema: results.Schema, ID: "20261122-214015.123-7f3a9c",
		Started:      time.Date(2026, 11, 22, 21, 40, 15, 0, time.UTC),
		ScenarioName: sc.Name, Seed: sc.Seed, Planned: sc.Blocks * levels * len(sc.Variants),
		Environment: results.Environment{Kind: "embedded", Database: "FerretDB 1.24.2 (SQLite)", Upstream: "mock upstream"},
		Fingerprint: results.Fingerprint{
			CPU: "AMD EPYC 7763 64-Core Processor", Cores: 2, Memory: 8 << 30, OS: "linux", Arch: "amd64",
			Kernel: "6.8.0-1017", Go: "go1.26.8", Revision: "031258104c3b1d0a9f6d7e8c2b4a59687786f5e4", NoFile: 1024,
		},
	}
	if err := h.SetScenario(sc); err != nil {
		panic(err)
	}
	return h
}

func trial(sc *scenarios.Scenario, l scenarios.Level, v scenarios.Variant, block int) results.Trial {
	items := l.Scenario.Items.Count
	rng := rand.New(rand.NewPCG(sc.Seed, hash(v.Name, l.Name, block)))
	host := rand.New(rand.NewPCG(sc.Seed, uint64(block))).NormFloat64() * 0.06 // drift, shared by the block
	makespan, ideal := times(l.Scenario, v)
	makespan *= math.Exp(host + 0.03*rng.NormFloat64())
	fds := scenarios.Predict(v, l.Scenario)
	peak := fds.Total - 2
	inside := results.Kinds{Upstream: fds.Upstream, Mongo: max(fds.Mongo-1, 1)}
	return results.Trial{
		Block: block, Variant: v.Name, Level: l.Factors, LevelName: l.Name, Items: items, Seed: sc.Seed + uint64(block),
		Started: time.Date(2026, 11, 22, 21, 41, block, 0, time.UTC),
		Outcome: results.OutcomeOK, Makespan: time.Duration(makespan), MakespanSource: "sut", Ideal: time.Duration(ideal),
		ItemsDone: new(items), ItemsFailed: new(0),
		Descriptors: results.Descriptors{
			Baseline: 8, Peak: peak, PeakAt: time.Duration(makespan / 2), Inside: &inside, Outside: &inside,
			Predicted: fds.Total, Leaked: new(0), Samples: 20 + items, Classified: 3,
		},
		Resources: results.Resources{UserCPU: 40 * time.Millisecond, SystemCPU: 10 * time.Millisecond, PeakRSS: 30 << 20, Threads: 9, Goroutines: new(items + 12)},
		Documents: &results.Documents{Expected: items, Found: items},
		Upstream:  &results.UpstreamStats{Requests: items, PeakInFlight: min(items, 10), PeakConns: 10, Connections: 10, LateMedian: 40 * time.Microsecond, LateP99: 300 * time.Microsecond},
	}
}

// times returns a makespan and its ideal in nanoseconds: fetches in waves, and
// writes of 3 ms in the same slot or, if joined, sequentially afterwards.
func times(sc *scenarios.Scenario, v scenarios.Variant) (makespan, ideal float64) {
	n, fetch, write := float64(sc.Items.Count), 1.13*float64(sc.Upstream.Latency.Median), 3e6
	slots := n
	if fetches, _ := v.Schedule().AtOnce(); fetches > 0 {
		slots = min(n, float64(fetches))
	}
	longest := fetch * (1 + 0.4*math.Log(slots))
	ideal = max(n*fetch/slots, longest)
	switch v.Strategy {
	case pipeline.KindSequential:
		return n * (fetch + write + 1e6), n * (fetch + write)
	case pipeline.KindJoined:
		return ideal*1.04 + n*write, ideal + n*write
	}
	return ideal*1.06 + n*0.4e6 + write, ideal + write
}

// stages returns the same histogram for every stage.
func stages(sc *scenarios.Scenario, rng *rand.Rand) map[string]results.Histogram {
	median := float64(sc.Upstream.Latency.Median)
	h := hdrhistogram.New(1000, int64(time.Hour), 3)
	for range sc.Items.Count {
		if err := h.RecordValue(int64(median * math.Exp(0.5*rng.NormFloat64()))); err != nil {
			panic(err)
		}
	}
	enc, err := results.NewHistogram(h)
	if err != nil {
		panic(err)
	}
	all := make(map[string]results.Histogram)
	for _, name := range []string{"queue", "fetch", "handoff", "pool_wait", "write", "item"} {
		all[name] = enc
	}
	return all
}

// Constant returns a histogram of one value. Each is encoded only once: under the
// race detector that takes milliseconds, and property tests need thousands.
func Constant(value time.Duration, count int64) results.Histogram {
	type key struct {
		value time.Duration
		count int64
	}
	if enc, ok := constants.Load(key{value, count}); ok {
		return enc.(results.Histogram)
	}
	h := hdrhistogram.New(1000, int64(time.Hour), 3)
	if err := h.RecordValues(int64(value), count); err != nil {
		panic(err)
	}
	enc, err := results.NewHistogram(h)
	if err != nil {
		panic(err)
	}
	constants.Store(key{value, count}, enc)
	return enc
}

var constants sync.Map // results.Histogram by the key of Constant

func hash(parts ...any) uint64 {
	var sum uint64 = 14695981039346656037 // the offset basis of FNV-1a
	for _, b := range []byte(fmt.Sprint(parts...)) {
		sum = (sum ^ uint64(b)) * 1099511628211
	}
	return sum
}
