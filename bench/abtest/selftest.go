package abtest

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"floodgate/bench/experiment"
	stored "floodgate/results"
	results "floodgate/results/pairs"
	"floodgate/results/stats"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// selfTestScenario is small, so that there are many pairs, and spends most of its time
// waiting for the upstream, so that its makespan follows the injected latency.
const selfTestScenario = `
version: 1
name: selftest
title: What a gate detects on this machine
seed: 1
items: {kind: phone-numbers}
upstream: {latency: {distribution: constant, value: 20ms}}
sut: {nofile: 256, timeout: 30s}
variants: [{strategy: bounded, limit: 5}]
levels: [{items: 20}]
blocks: 2000
`

// baseline is the name of the trial in each block with which the others are paired.
const baseline = "baseline"

// SelfTestScenario returns the scenario of a self-test.
func SelfTestScenario() (*scenarios.Scenario, error) {
	return scenarios.Parse("selftest.yaml", []byte(selfTestScenario))
}

// SelfTest configures a test of the gate on this machine.
type SelfTest struct {
	// Tester runs the trials.
	Tester experiment.Tester
	// Time is the duration after which no further block starts; Now is the clock.
	Time time.Duration
	Now  func() time.Time
	// Benchmark measures the time of one operation, between two trials; nil means that none
	// is measured. See [Benchmark].
	Benchmark func() time.Duration
	// Log receives every trial.
	Log *Log
	// Progress is called after every block with the remaining time. Note receives messages
	// that a person should see at once.
	Progress func(blocks int, left time.Duration)
	Note     func(text string)
}

// selfTestFailures is the number of consecutive failed trials after which the self-test
// gives up, like a run, because the environment must be broken.
const selfTestFailures = 5

// SelfTestTrial is a line of a self-test's record.
type SelfTestTrial struct {
	Block     int          `json:"block"`
	Treatment string       `json:"treatment"` // or "baseline"
	Trial     stored.Trial `json:"trial"`
	// Benchmark is the time of one operation of the benchmark after the trial; zero means
	// that it was not measured.
	Benchmark time.Duration `json:"benchmark_ns,omitempty"`
}

// RunSelfTest runs blocks of trials until the time is over, each with one trial of the
// baseline and one of every treatment in random order. Then it judges gates on disjoint
// sequences of pairs. The error is that of ctx, of the record or of the environment.
func RunSelfTest(ctx context.Context, s *results.SelfTestOutcome, test SelfTest) error {
	scenario, err := SelfTestScenario()
	if err != nil {
		return err
	}
	plan, err := experiment.Schedule(scenario)
	if err != nil {
		return err
	}
	order := rand.New(rand.NewPCG(s.Seed, 2))
	tried := results.SelfTestPairs{Pairs: map[string][]results.Pair{}, Counted: map[string][]bool{}, Unchanged: map[string][]results.Pair{}}
	runner := &experiment.Runner{
		Tester: test.Tester, Progress: experiment.Notes(test.Note), Retries: retries, MaxFailures: selfTestFailures,
	}
	began := test.Now()
	for _, t := range plan {
		if s.Took = test.Now().Sub(began); s.Took >= test.Time {
			break
		}
		block, err := test.block(ctx, runner, t, order, &tried)
		if err != nil {
			return err
		}
		s.Unmeasured += addPairs(&tried, block)
		s.Blocks++
		test.Progress(s.Blocks, test.Time-test.Now().Sub(began))
	}
	if s.Blocks == 0 {
		return results.ErrTime
	}
	return results.JudgeSelfTest(s, tried)
}

// block runs a block in random order and adds the state of the machine to tried.
func (test SelfTest) block(ctx context.Context, runner *experiment.Runner, t experiment.ScheduledTrial, order *rand.Rand, tried *results.SelfTestPairs) (map[string]stored.Trial, error) {
	names := append(slices.DeleteFunc(results.Treatments(), func(t string) bool { return t == results.SameCounts }), baseline)
	order.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	block := map[string]stored.Trial{}
	for _, name := range names {
		runner.Append = func(record stored.Trial) error {
			if record.Machine != nil {
				tried.Machine = append(tried.Machine, *record.Machine)
			}
			line := SelfTestTrial{Block: t.Block, Treatment: name, Trial: record}
			if test.Benchmark != nil {
				if line.Benchmark = test.Benchmark(); line.Benchmark > 0 {
					tried.Benchmark = append(tried.Benchmark, float64(line.Benchmark))
				}
			}
			return test.Log.Append(line)
		}
		record, err := runner.Trial(ctx, withTreatment(t, name))
		if err != nil {
			return nil, err
		}
		block[name] = record
	}
	return block, nil
}

// withTreatment returns the trial with the treatment injected.
func withTreatment(t experiment.ScheduledTrial, treatment string) experiment.ScheduledTrial {
	slower := func(percent scenarios.Duration) {
		s := *t.Level.Scenario
		s.Upstream.Latency.Value += s.Upstream.Latency.Value * percent / 100
		t.Level.Scenario = &s
	}
	switch treatment {
	case results.Latency5:
		slower(5)
	case results.Latency10:
		slower(10)
	case results.Descriptors:
		t.Inject.Descriptors = 20
	case results.LostWrite:
		t.Inject.LostWrites = 1
	}
	return t
}

// addPairs adds the pairs of a block and returns the number of trials that could not be
// measured.
func addPairs(tried *results.SelfTestPairs, block map[string]stored.Trial) (unmeasured int) {
	base := block[baseline]
	if base.Outcome != stored.OutcomeOK {
		unmeasured++
	}
	for _, treatment := range results.Treatments() {
		t, run := block[treatment]
		if treatment == results.SameCounts {
			t = block[results.Same]
		}
		if t.Outcome != stored.OutcomeOK {
			if run {
				unmeasured++
			}
			continue
		}
		if base.Outcome != stored.OutcomeOK {
			continue
		}
		switch treatment {
		case results.SameCounts, results.Descriptors, results.LostWrite:
			tried.Counted[treatment] = append(tried.Counted[treatment], foundByCount(base, t))
		default:
			tried.Pairs[treatment] = append(tried.Pairs[treatment], results.Pair{A: float64(base.Makespan), B: float64(t.Makespan)})
		}
		if treatment == results.Same {
			addUnchanged(tried, base, t)
		}
	}
	return unmeasured
}

// addUnchanged adds the figures of two trials of the same program.
func addUnchanged(tried *results.SelfTestPairs, a, b stored.Trial) {
	add := func(metric string, of func(stored.Trial) float64) {
		if pair := (results.Pair{A: of(a), B: of(b)}); pair.A > 0 && pair.B > 0 {
			tried.Unchanged[metric] = append(tried.Unchanged[metric], pair)
		}
	}
	add("makespan", func(t stored.Trial) float64 { return float64(t.Makespan) })
	add("item p99", func(t stored.Trial) float64 { return float64(t.Stages["item"].P99) })
	add("CPU time", func(t stored.Trial) float64 { return float64(t.Resources.UserCPU + t.Resources.SystemCPU) })
	add("memory", func(t stored.Trial) float64 { return float64(t.Resources.PeakRSS) })
	if a.Resources.Allocs != nil && b.Resources.Allocs != nil {
		add("allocations", func(t stored.Trial) float64 { return float64(*t.Resources.Allocs) })
	}
}

// DefaultDescriptors is the default number by which B's peak of descriptors may exceed A's.
const DefaultDescriptors = 10

// foundByCount reports whether a gate of one pair judges a count as worse.
func foundByCount(a, b stored.Trial) bool {
	v := results.Outcome{Design: stats.DefaultDesign()}
	err := results.JudgeTrials(&v, []string{a.Variant}, a.LevelName, results.RevisionTrials{
		A: []stored.Trial{a}, B: []stored.Trial{b}, Blocks: 1, Descriptors: DefaultDescriptors,
	})
	return err == nil && slices.ContainsFunc(v.Counts, func(c results.Count) bool { return c.Decision == verdict.Worse })
}
