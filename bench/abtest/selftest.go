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

// selfTestScenario is small, so that there are many pairs, and waits for the
// upstream more than for anything else, so that its latency is what is timed.
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

// baseline is the trial of every block that the others are paired with.
const baseline = "baseline"

// SelfTestScenario returns what a self-test runs.
func SelfTestScenario() (*scenarios.Scenario, error) {
	return scenarios.Parse("selftest.yaml", []byte(selfTestScenario))
}

// SelfTest describes how to test the gate on this machine.
type SelfTest struct {
	// Tester runs the trials.
	Tester experiment.Tester
	// Time after which no block begins; Now is the clock.
	Time time.Duration
	Now  func() time.Time
	// Log keeps every trial.
	Log *Log
	// Progress hears of every block, and how much of the time is left; Note, of what
	// a person should know at once.
	Progress func(blocks int, left time.Duration)
	Note     func(text string)
}

// selfTestFailures is the number of trials in a row that may fail before the self-test gives
// up, as a run does: a broken environment shows nothing about a gate, however long
// it is tried.
const selfTestFailures = 5

// SelfTestTrial is a line of the record.
type SelfTestTrial struct {
	Block     int          `json:"block"`
	Treatment string       `json:"treatment"` // or "baseline"
	Trial     stored.Trial `json:"trial"`
}

// RunSelfTest runs blocks of trials, in each one of the baseline and one of every
// treatment in random order, until the time is over, and judges: gates on
// sequences of pairs that share none. The error is that of ctx, of the record or
// of the environment.
func RunSelfTest(ctx context.Context, s *results.SelfTested, test SelfTest) error {
	scenario, err := SelfTestScenario()
	if err != nil {
		return err
	}
	plan, err := experiment.Schedule(scenario)
	if err != nil {
		return err
	}
	order := rand.New(rand.NewPCG(s.Seed, 2))
	tried := results.Tried{Pairs: map[string][]results.Pair{}, Counted: map[string][]bool{}}
	runner := &experiment.Runner{
		Tester: test.Tester, Progress: experiment.Notes(test.Note), Retries: retries, MaxFailures: selfTestFailures,
	}
	began := test.Now()
	for _, t := range plan {
		if s.Took = test.Now().Sub(began); s.Took >= test.Time {
			break
		}
		block, err := test.block(ctx, runner, t, order)
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

func (test SelfTest) block(ctx context.Context, runner *experiment.Runner, t experiment.ScheduledTrial, order *rand.Rand) (map[string]stored.Trial, error) {
	names := append(slices.DeleteFunc(results.Treatments(), func(t string) bool { return t == results.SameCounts }), baseline)
	order.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	block := map[string]stored.Trial{}
	for _, name := range names {
		runner.Append = func(record stored.Trial) error {
			return test.Log.Append(SelfTestTrial{Block: t.Block, Treatment: name, Trial: record})
		}
		record, err := runner.Trial(ctx, withTreatment(t, name))
		if err != nil {
			return nil, err
		}
		block[name] = record
	}
	return block, nil
}

// withTreatment returns the trial with what is planted in it.
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

// addPairs adds the pairs of a block, and returns how many trials could not be measured.
func addPairs(tried *results.Tried, block map[string]stored.Trial) (unmeasured int) {
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
	}
	return unmeasured
}

// DefaultDescriptors is by how many the peak of B may exceed that of A.
const DefaultDescriptors = 10

// foundByCount reports whether a gate of one pair compares a count as worse.
func foundByCount(a, b stored.Trial) bool {
	v := results.Outcome{Design: stats.DefaultLooks()}
	err := results.JudgeTrials(&v, []string{a.Variant}, a.LevelName, results.Ran{
		A: []stored.Trial{a}, B: []stored.Trial{b}, Blocks: 1, Descriptors: DefaultDescriptors,
	})
	return err == nil && slices.ContainsFunc(v.Counts, func(c results.Count) bool { return c.Decision == verdict.Worse })
}
