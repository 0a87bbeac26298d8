package search_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/internal/simulated"
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
	b, err := search.NewLimitBounds(s, search.LimitValues{Most: 8, Quick: true})
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
		if len(p.Runs)+p.Lost != capacity.MinReachBlocks || p.Peak == nil || *p.Peak > 8+2*p.Limit+scenarios.MonitorConns+2 || p.Corrupt > 0 {
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
	if stored.Complete || !stored.Header.Search || len(stored.Trials) != 33 {
		t.Errorf("complete %v, plan %v, %d trials", stored.Complete, stored.Header.Search, len(stored.Trials))
	}
	for i, trial := range stored.Trials[:32] { // in blocks, each limit once
		if trial.Index != i || trial.Block != i/4 || i%4 > 0 && trial.Seed != stored.Trials[i-1].Seed {
			t.Errorf("trial %d has index %d, block %d, seed %d", i, trial.Index, trial.Block, trial.Seed)
		}
	}
}

// limitsOf searches with a tester in place of servers.
func limitsOf(t *testing.T, s *scenarios.Scenario, b search.LimitBounds, tester experiment.Tester, terms capacity.Terms) (plan *capacity.Limits, notes []string) {
	t.Helper()
	header, err := search.LimitHeader(s, b, results.Environment{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	store, err := results.Create(t.TempDir(), header)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if plan, err = search.NewLimits(s, b, header, terms); err != nil {
		t.Fatal(err)
	}
	err = search.Limits(t.Context(), search.LimitOptions{
		Scenario: s, Bounds: b, Store: store, Tester: tester, Result: plan, Changed: func() error { return nil },
		Progress: experiment.Notes(func(text string) { notes = append(notes, text) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan, notes
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
	items, slots := t.Level.Scenario.Items.Count, t.Variant.Limit
	if workers, isVar := t.Variant.Vars["workers"].(int); isVar {
		slots = workers
	}
	seconds := float64(items) / (50 * float64(min(slots, 4)) * (1 + float64(t.Block)/1e6))
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

// uneven runs trials of a program whose throughput at limit 4 is 95.5 % of that at limit 8,
// which varies by a few percent.
type uneven struct{ stageless }

func (p uneven) Run(ctx context.Context, t experiment.ScheduledTrial) (results.Trial, error) {
	record, err := p.stageless.Run(ctx, t)
	share := map[int]float64{1: 0.3, 2: 0.6, 4: 0.955, 8: 1}[t.Variant.Limit]
	noise := rand.New(rand.NewPCG(uint64(t.Block), uint64(t.Variant.Limit))).NormFloat64()
	record.Makespan = time.Duration(float64(time.Second) / share * math.Exp(0.03*noise))
	record.Items = 100
	record.Upstream.Requests = 100
	return record, err
}

// Further blocks have the limits that they may decide and the best one, until the budget is
// spent. The reason why a limit is not decided is a note.
func TestFurtherBlocks(t *testing.T) {
	s := parse(t, strings.Replace(fourWorkers, "nofile: 64", "nofile: 64, command: [./own]", 1))
	for name, test := range map[string]struct {
		budget time.Duration
		runs   map[int]int
		spent  bool
		note   string
	}{
		"until decided or hopeless": {time.Hour, map[int]int{1: 8, 2: 8, 4: 50, 8: 50}, false, "at 4, whether it reaches 95 % of the highest is not decided"},
		"none":                      {0, map[int]int{1: 8, 2: 8, 4: 8, 8: 8}, true, "no limit was compared in further blocks (--time 0)"},
	} {
		t.Run(name, func(t *testing.T) {
			b := limitBounds(t, s)
			b.Budget, b.Adaptive = test.budget, 0
			plan, _ := limitsOf(t, s, b, uneven{}, capacity.NewTerms(0, s.SUT.NoFile, 2))
			for _, p := range plan.Points {
				if len(p.Runs) != test.runs[p.Limit] {
					t.Errorf("limit %d: %d trials, want %d; %+v", p.Limit, len(p.Runs), test.runs[p.Limit], p.Reach)
				}
			}
			if r := plan.Recommendation; r.Limit != 8 || plan.Spent != test.spent || !plan.Sampled || !strings.Contains(strings.Join(r.Notes, "\n"), test.note) {
				t.Errorf("budget spent %v, %+v", plan.Spent, r)
			}
		})
	}
}

// A limit of a program without stages is found by what is seen from outside. What it does
// not report is noted once, after the first trial, and a strategy that it does not know is
// left out.
func TestLimitsOfAProgramThatReportsNothing(t *testing.T) {
	s := parse(t, strings.Replace(fourWorkers, "nofile: 64", "nofile: 64, command: [./own]", 1))
	for counted, program := range map[string]stageless{"requests": {}, "documents": {documents: true}} {
		t.Run(counted, func(t *testing.T) {
			plan, notes := limitsOf(t, s, limitBounds(t, s), program, capacity.NewTerms(0, s.SUT.NoFile, 2))
			if r := plan.Recommendation; r == nil || r.Limit != 4 || plan.Exit != 0 || len(r.Notes) == 0 || !strings.Contains(r.Notes[0], "throughput is that of "+counted) {
				t.Errorf("exit code %d, %+v", plan.Exit, r)
			}
			for _, p := range plan.Points {
				if p.Counted != counted || p.P99 != nil || len(p.Runs) != capacity.MinReachBlocks {
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

// A variable of a program that speaks the protocol is varied in place of its limit.
func TestLimitsOfAVariable(t *testing.T) {
	s := parse(t, strings.NewReplacer("nofile: 64", "nofile: 64, command: [./own]", "limit: 5", "limit: 5, vars: {workers: 7, mode: fast}").Replace(fourWorkers))
	b, err := search.NewLimitBounds(s, search.LimitValues{Vary: "workers", Only: []int{8, 2, 4}})
	if err != nil {
		t.Fatal(err)
	}
	plan, _ := limitsOf(t, s, b, stageless{}, capacity.NewTerms(0, s.SUT.NoFile, 2))
	if r := plan.Recommendation; r == nil || r.Limit != 4 || plan.Vary != "workers" || r.Config.MaxPoolSize != 0 || plan.Adaptive != nil {
		t.Errorf("%+v", r)
	}
	for i, p := range plan.Points {
		if want := []int{2, 4, 8}[i]; p.Limit != want || p.Variant != fmt.Sprintf("workers-%d", want) || p.Items != 200 || p.LittleDeviation != nil {
			t.Errorf("%+v, want %d workers", p, want)
		}
	}
	if s.Variants[1].Vars["workers"] == 8 {
		t.Error("the scenario's own variant has changed")
	}
	for why, v := range map[string]search.LimitValues{
		`--vary must name a variable of variant "sequential" (got "slots", want limit, mode or workers)`: {Vary: "slots"},
		"--limits has 4 twice; remove one":         {Only: []int{4, 2, 4}},
		"--limits must be at least 1 (got 0)":      {Only: []int{0}},
		"--window applies only to an HTTP service": {Window: time.Second},
	} {
		if _, err := search.NewLimitBounds(s, v); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%+v: error %v, want %q", v, err, why)
		}
	}
	if _, err := search.NewLimitBounds(parse(t, fourWorkers), search.LimitValues{Vary: "workers"}); err == nil || !strings.Contains(err.Error(), "needs a program of your own") {
		t.Errorf("the built-in pipeline: %v", err)
	}
}

// ownService is an HTTP service of the user's own, which a simulation replaces.
const ownService = `version: 1
name: own
title: A service
sut: {command: [./own, "{{addr}}", "{{limit}}"], nofile: 64}
service: {requests: [{path: /}], arrivals: {rate: 60}, duration: 4s}
variants: [{name: one, vars: {limit: 1}}]
`

// Of an HTTP service, the smallest value is recommended that keeps up with the arrivals
// within the other requirements.
func TestLimitsOfAnHTTPService(t *testing.T) {
	service := func() *simulated.Service { // 47.6, 95.2 and 100 requests a second at limits 1, 2 and 4
		return &simulated.Service{Workers: 2, Fetch: 20 * time.Millisecond, Write: time.Millisecond}
	}
	for name, test := range map[string]struct {
		rate     string
		values   search.LimitValues
		p99      time.Duration
		nofile   int
		points   []int
		limit    int
		resource capacity.Resource
		exit     int
	}{
		"keeps up from 2 on":   {"60", search.LimitValues{Only: []int{4, 1, 2}}, 0, 64, []int{1, 2, 4}, 2, capacity.Arrivals, 0},
		"chosen by the search": {"60", search.LimitValues{}, 0, 64, []int{1, 2, 3, 4, 8, 16}, 2, capacity.Arrivals, 0},
		"nothing keeps up":     {"150", search.LimitValues{Only: []int{1, 2, 4}}, 0, 64, []int{1, 2, 4}, 2, capacity.Unknown, 1},
		"a p99 that none has":  {"60", search.LimitValues{Only: []int{1, 2}}, time.Millisecond, 64, []int{1, 2}, 0, capacity.Unknown, 1},
		"too few descriptors":  {"60", search.LimitValues{Only: []int{1, 2}}, 0, 16, []int{1, 2}, 0, capacity.Unknown, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := parse(t, strings.Replace(ownService, "rate: 60", "rate: "+test.rate, 1))
			b, err := search.NewLimitBounds(s, test.values)
			if err != nil {
				t.Fatal(err)
			}
			plan, _ := limitsOf(t, s, b, service(), capacity.NewTerms(test.p99, test.nofile, 2))
			var limits []int
			for _, p := range plan.Points {
				limits = append(limits, p.Limit)
				if p.Throughput == nil || p.Throughput.High > p.Offered*1.02 || p.P99 == nil || p.Peak == nil {
					t.Errorf("limit %d: %+v", p.Limit, p)
				}
			}
			r := plan.Recommendation
			if !slices.Equal(limits, test.points) || r == nil || r.Limit != test.limit || plan.Exit != test.exit || plan.Model != nil || plan.Vary != "limit" || fmt.Sprint(plan.Rate) != test.rate {
				t.Fatalf("limits %v, exit code %d, %+v; want %v, %d at limit %d", limits, plan.Exit, r, test.points, test.exit, test.limit)
			}
			if r.Bottleneck.Resource != test.resource && test.resource != capacity.Unknown {
				t.Errorf("bottleneck %+v, want %s", r.Bottleneck, test.resource)
			}
		})
	}
}

// A trial takes as long as it is told; what cannot be tried is an error.
func TestLimitBoundsOfAnHTTPService(t *testing.T) {
	s := parse(t, ownService)
	b, err := search.NewLimitBounds(s, search.LimitValues{Window: time.Second, Only: []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := search.EstimateLimits(s, b); err != nil || left < 6*time.Second || left > 20*time.Second {
		t.Errorf("six trials of a second take %v, %v", left, err)
	}
	for why, test := range map[string]struct {
		change [2]string
		values search.LimitValues
	}{
		`--vary must name a variable of variant "one" (got "workers", want limit)`: {values: search.LimitValues{Vary: "workers"}},
		"6 requests in a load of 100ms are too few to judge; use at least 20":      {values: search.LimitValues{Window: 100 * time.Millisecond}},
		"a process that runs already":                                              {change: [2]string{`sut: {command: [./own, "{{addr}}", "{{limit}}"], nofile: 64}`, "sut: {port: 8080}"}},
		"--max-limit must be at least 2 (got 1)":                                   {values: search.LimitValues{Most: 1}},
		"a limit search of a service needs 1 host (got 3)":                         {values: search.LimitValues{Hosts: 3}},
		"a limit search of a service needs 1 host (got 2)":                         {change: [2]string{"sut: {", "sut: {hosts: 2, "}},
	} {
		text := strings.Replace(ownService, test.change[0], test.change[1], 1)
		if strings.Contains(text, "port: 8080") {
			text = strings.Replace(text, "variants: [{name: one, vars: {limit: 1}}]\n", "", 1)
		}
		if _, err := search.NewLimitBounds(parse(t, text), test.values); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("error %v, want %q", err, why)
		}
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
	b, err := search.NewLimitBounds(s, search.LimitValues{})
	// 64 descriptors: 8 of the runtime, 2 that watch the database, 2 for each slot.
	if err != nil || b.Max != 27 || !b.Capped || b.Strategy() != "bounded" || b.First != 16 || b.Step != 2 || b.Blocks != capacity.MinReachBlocks {
		t.Errorf("%+v, %v", b, err)
	}
	if name, others, err := b.Level(s); name != "" || others != 0 || err != nil {
		t.Errorf("level %q, %d others, %v", name, others, err)
	}
	if _, err := search.NewLimitBounds(s, search.LimitValues{Most: 28}); err == nil || !strings.Contains(err.Error(), "at most 27") {
		t.Errorf("28: %v", err)
	}
	if b, err := search.NewLimitBounds(s, search.LimitValues{Most: 5}); err != nil || b.Max != 5 || b.Capped || b.First != 5 {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := search.NewLimitBounds(s, search.LimitValues{Most: 1}); err == nil {
		t.Error("1 is taken")
	}
	service, err := scenarios.Builtin("service")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := search.NewLimitBounds(service, search.LimitValues{}); err == nil || !strings.Contains(err.Error(), "plan rate") {
		t.Errorf("a service: %v", err)
	}
	staged := parse(t, strings.Replace(fourWorkers, "{strategy: bounded, limit: 5}", "{strategy: staged, limit: 10, writers: 5, queue: 20}", 1))
	if b, err = search.NewLimitBounds(staged, search.LimitValues{}); err != nil || b.Strategy() != "staged" {
		t.Errorf("%+v, %v", b, err)
	}
	if left, err := search.EstimateLimits(s, b); err != nil || left < time.Second || left > time.Hour {
		t.Errorf("%v, %v", left, err)
	}
}
