package search_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/progress"
	"floodgate/bench/search"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// TestMain lets the test binary also serve as the SUT and as the environment's children.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch args := os.Args[2:]; {
		case os.Args[1] == sut.ChildArg:
			os.Exit(sut.Main(args, os.Stdin, os.Stdout, os.Stderr))
		case slices.Contains(environment.Children(), os.Args[1]):
			os.Exit(environment.RunChild(os.Args[1], args, os.Stdin, os.Stdout, os.Stderr))
		}
	}
	code := m.Run()
	if started != nil {
		started.Close()
	}
	os.Exit(code)
}

// shared is the environment of all tests; each has its own database.
var shared = sync.OnceValues(func() (env *environment.Environment, err error) {
	started, err = environment.Start(context.Background(), environment.Options{})
	return started, err
})

// started is the shared environment; nil means that no test needed it.
var started *environment.Environment

// fourWorkers has an upstream of four workers that spend 20 ms on an item: at most 200
// items per second, reached with four at once.
const fourWorkers = `version: 1
name: four-workers
title: An upstream of four workers
seed: 5
items: {kind: phone-numbers}
upstream:
  latency: {distribution: constant, value: 20ms}
  capacity: {workers: 4}
  body: {min_records: 1, max_records: 2}
  late_bound: 30s
sut: {nofile: 64}
variants:
  - {strategy: sequential}
  - {strategy: bounded, limit: 5}
levels: [{items: [10, 20]}]
blocks: 6
`

func parse(t *testing.T, text string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func limitBounds(t *testing.T, s *scenarios.Scenario) search.LimitBounds {
	t.Helper()
	b, err := search.NewLimitBounds(s, 8, true)
	if err != nil {
		t.Fatal(err)
	}
	b.First, b.Step, b.PerSlot, b.MinItems, b.AdaptiveFor = 8, 2, 5, 16, time.Second
	return b
}

// searchLimits searches in the embedded environment and reads the trials back.
func searchLimits(ctx context.Context, t *testing.T, s *scenarios.Scenario, b search.LimitBounds, changed func(*capacity.Limits)) (*capacity.Limits, *results.Run, error) {
	t.Helper()
	env, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	header, err := search.LimitHeader(s, b, env.Describe(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	store, err := results.Create(t.TempDir(), header)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := search.NewLimits(s, b, header, capacity.NewTerms(0, s.SUT.NoFile, 2))
	if err != nil {
		t.Fatal(err)
	}
	ran := search.Limits(ctx, search.LimitOptions{
		Scenario: s, Bounds: b, Store: store, Tester: experiment.NewTrials(env, executable, store.ID()),
		Progress: progress.New(progress.Options{Quiet: true}), Result: plan,
		Changed: func() error { changed(plan); return nil },
	})
	stored, err := results.Open(store.Dir())
	if err != nil {
		t.Fatal(err)
	}
	return plan, stored, ran
}

// Throughput never exceeds the capacity of the upstream, and each trial is stored. The best
// limit is not tested, because it depends on the other load of the machine.
func TestSweepOfAKnownUpstream(t *testing.T) {
	s := parse(t, fourWorkers)
	b := limitBounds(t, s)
	l, stored, err := searchLimits(t.Context(), t, s, b, func(*capacity.Limits) {})
	if err != nil {
		t.Fatal(err)
	}
	var limits []int
	for _, p := range l.Points {
		limits = append(limits, p.Limit)
		most := 50 * float64(min(p.Limit, 4)) * 1.01
		for _, r := range p.Runs {
			trial := stored.Trials[r.Trial]
			if trial.Variant != p.Variant || trial.Block != r.Block || trial.Items != max(16, 5*p.Limit) {
				t.Errorf("limit %d has trial %d of %s, block %d, %d items", p.Limit, trial.Index, trial.Variant, trial.Block, trial.Items)
			}
			if r.Throughput > most {
				t.Errorf("limit %d: %v items a second, at most %v can be", p.Limit, r.Throughput, most)
			}
		}
		if len(p.Runs)+p.Lost != 6 || p.Peak == nil || *p.Peak > 8+2*p.Limit+scenarios.MonitorConns+2 || p.Corrupt > 0 {
			t.Errorf("limit %d: %d trials, %d lost, peak %v, %d documents broken", p.Limit, len(p.Runs), p.Lost, p.Peak, p.Corrupt)
		}
		t.Logf("%d: %+v, %.3g in flight, %v, busy %.2f", p.Limit, p.Throughput, p.InFlight, p.Violations, p.Busy)
	}
	if !slices.Equal(limits, []int{1, 2, 4, 8}) || l.Recommendation == nil || l.Model == nil {
		t.Fatalf("limits %v, recommendation %+v, model %+v", limits, l.Recommendation, l.Model)
	}
	if a := l.Adaptive; a == nil || len(a.Runs) != 1 || a.Runs[0].Settled < 1 || stored.Trials[a.Runs[0].Trial].SlotLimit == nil {
		t.Errorf("adaptive: %+v", a)
	}
	if stored.Complete || !stored.Header.Search || len(stored.Trials) != 25 {
		t.Errorf("complete %v, plan %v, %d trials", stored.Complete, stored.Header.Search, len(stored.Trials))
	}
	for i, trial := range stored.Trials[:24] { // in blocks, each limit once
		if trial.Index != i || trial.Block != i/4 || i%4 > 0 && trial.Seed != stored.Trials[i-1].Seed {
			t.Errorf("trial %d has index %d, block %d, seed %d", i, trial.Index, trial.Block, trial.Seed)
		}
	}
}

// stageless runs trials of a program of the user's own that reports nothing, knows no
// adaptive strategy, and completes at most 200 items per second.
type stageless struct{ documents bool }

func (stageless) Ensure(ctx context.Context) ([]string, error) { return nil, ctx.Err() }

func (stageless) Mock() bool { return true }

func (p stageless) Run(ctx context.Context, t experiment.ScheduledTrial) (results.Trial, error) {
	if t.Variant.Strategy == pipeline.KindAdaptive {
		return results.Trial{}, &experiment.UnsupportedError{Variant: t.Variant.Name, Reason: "the program does not know strategy adaptive"}
	}
	items := t.Level.Scenario.Items.Count
	seconds := float64(items) / (50 * float64(min(t.Variant.Limit, 4)) * (1 + float64(t.Block)/1e6))
	record := results.Trial{
		Index: t.Index, Block: t.Block, Variant: t.Variant.Name, Level: t.Level.Factors, LevelName: t.Level.Name, Items: items,
		Outcome: results.OutcomeOK, Makespan: time.Duration(seconds * float64(time.Second)), MakespanSource: "outside",
		Upstream: &results.UpstreamStats{Requests: items}, NoDocuments: true,
	}
	if p.documents {
		record.NoDocuments, record.Documents = false, &results.Documents{Expected: items, Found: items}
	}
	return record, ctx.Err()
}

// A limit of a program without stages is found by what is seen from outside. What it does
// not report is noted once, after the first trial, and a strategy that it does not know is
// left out.
func TestLimitsOfAProgramThatReportsNothing(t *testing.T) {
	s := parse(t, strings.Replace(fourWorkers, "nofile: 64", "nofile: 64, command: [./own]", 1))
	for counted, program := range map[string]stageless{"requests": {}, "documents": {documents: true}} {
		t.Run(counted, func(t *testing.T) {
			b := limitBounds(t, s)
			header, err := search.LimitHeader(s, b, results.Environment{}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			store, err := results.Create(t.TempDir(), header)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			plan, err := search.BegunLimits(s, b, header, capacity.NewTerms(0, s.SUT.NoFile, 2))
			if err != nil {
				t.Fatal(err)
			}
			var notes []string
			err = search.Limits(t.Context(), search.LimitOptions{
				Scenario: s, Bounds: b, Store: store, Tester: program, Found: plan, Changed: func() error { return nil },
				Progress: experiment.Notes(func(text string) { notes = append(notes, text) }),
			})
			if err != nil {
				t.Fatal(err)
			}
			if r := plan.Recommendation; r == nil || r.Limit != 4 || plan.Exit != 0 || len(r.Notes) == 0 || !strings.Contains(r.Notes[0], "throughput is that of "+counted) {
				t.Errorf("exit code %d, %+v", plan.Exit, r)
			}
			for _, p := range plan.Points {
				if p.Counted != counted || p.P99 != nil || len(p.Runs) != 6 {
					t.Errorf("limit %d: counted %q, p99 %v, %d trials", p.Limit, p.Counted, p.P99, len(p.Runs))
				}
			}
			if plan.Adaptive != nil || len(notes) != 2 || !strings.Contains(notes[0], "no p50 and p99 of items (send stages.item)") ||
				notes[1] != "the adaptive strategy was not tried: the program does not know strategy adaptive" {
				t.Errorf("adaptive %+v, notes %q", plan.Adaptive, notes)
			}
		})
	}
}

// The results before an interruption are returned and stored.
func TestInterruptedLimits(t *testing.T) {
	s := parse(t, fourWorkers)
	ctx, cancel := context.WithCancel(t.Context())
	l, stored, err := searchLimits(ctx, t, s, limitBounds(t, s), func(*capacity.Limits) { cancel() })
	if !errors.Is(err, experiment.ErrInterrupted) || len(l.Points) != 4 || len(stored.Trials) != 4 || l.Recommendation != nil {
		t.Errorf("%d points of %d trials, %+v, %v", len(l.Points), len(stored.Trials), l.Recommendation, err)
	}
}

func TestLimitBounds(t *testing.T) {
	s := parse(t, fourWorkers)
	b, err := search.NewLimitBounds(s, 0, false)
	// 64 descriptors: 8 of the runtime, 2 that watch the database, 2 for each slot.
	if err != nil || b.Max != 27 || !b.Capped || b.Strategy() != "bounded" || b.First != 16 || b.Step != 2 || b.Blocks != 6 {
		t.Errorf("%+v, %v", b, err)
	}
	if name, others, err := b.Level(s); name != "" || others != 0 || err != nil {
		t.Errorf("level %q, %d others, %v", name, others, err)
	}
	if _, err := search.NewLimitBounds(s, 28, false); err == nil || !strings.Contains(err.Error(), "at most 27") {
		t.Errorf("28: %v", err)
	}
	if b, err := search.NewLimitBounds(s, 5, false); err != nil || b.Max != 5 || b.Capped || b.First != 5 {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := search.NewLimitBounds(s, 1, false); err == nil {
		t.Error("1 is taken")
	}
	service, err := scenarios.Builtin("service")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := search.NewLimitBounds(service, 0, false); err == nil || !strings.Contains(err.Error(), "plan rate") {
		t.Errorf("a service: %v", err)
	}
	staged := parse(t, strings.Replace(fourWorkers, "{strategy: bounded, limit: 5}", "{strategy: staged, limit: 10, writers: 5, queue: 20}", 1))
	if b, err = search.NewLimitBounds(staged, 0, false); err != nil || b.Strategy() != "staged" {
		t.Errorf("%+v, %v", b, err)
	}
	if left, err := search.EstimateLimits(s, b); err != nil || left < time.Second || left > time.Hour {
		t.Errorf("%v, %v", left, err)
	}
}
