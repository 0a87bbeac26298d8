package experiment_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/load/generator"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
)

// TestMain lets the test binary also serve as the SUT and as the environment's children.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch args := os.Args[2:]; {
		case os.Args[1] == sut.ChildArg:
			os.Exit(sut.Main(args, os.Stdin, os.Stdout, os.Stderr))
		case os.Args[1] == generator.PodArg:
			os.Exit(generator.PodMain(os.Stdin, os.Stdout, os.Stderr, experiment.LoadOptions))
		case os.Args[1] == generator.ChildArg:
			os.Exit(generator.Main(os.Stdin, os.Stdout, os.Stderr, experiment.LoadOptions))
		case os.Args[1] == serviceArg:
			os.Exit(httpService(args[0], args[1]))
		case slices.Contains(environment.Children(), os.Args[1]):
			leavePID(os.Args[1])
			os.Exit(environment.RunChild(os.Args[1], args, os.Stdin, os.Stdout, os.Stderr))
		}
	}
	pids, err := os.MkdirTemp("", "experiment-test")
	if err == nil {
		err = os.Setenv(pidsVariable, pids)
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	if env, _ := shared(); env != nil {
		env.Close()
	}
	os.RemoveAll(pids)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		code = 1
	}
	os.Exit(code)
}

// shared is the environment of all tests; each has its own database.
var shared = sync.OnceValues(func() (*environment.Environment, error) {
	return environment.Start(context.Background(), environment.Options{Link: true})
})

func trials(t *testing.T) *experiment.Trials {
	t.Helper()
	env, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return experiment.NewTrials(env, executable, t.Name())
}

func scenario(t *testing.T, text string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func plan(t *testing.T, s *scenarios.Scenario) []experiment.ScheduledTrial {
	t.Helper()
	p, err := experiment.Schedule(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const every = `
version: 1
name: every
title: Every strategy once
seed: 3
items: {kind: phone-numbers, duplicates: 0.2}
upstream: {late_bound: 10s, body: {min_records: 1, max_records: 5}}
sut: {nofile: 256}
variants:
  - {strategy: sequential}
  - {strategy: joined, limit: 4}
  - {strategy: bounded, limit: 4}
  - {strategy: unbounded}
  - {name: staged, strategy: staged, limit: 4, writers: 2, queue: 3}
  - {name: batched, strategy: batched, limit: 4, writers: 2, batch: 5, linger: 1ms}
  - {name: fresh, strategy: bounded, limit: 4, connections: {upstream: fresh, clients: per-batch}}
levels: [{items: 23}, {items: 12, database.documents: per-record}, {items: 12, items.batches: 3}, {items: 9, items.kind: date-ranges, database.latency: 5ms}]
blocks: 6
`

func TestEveryStrategyOnRealServers(t *testing.T) {
	s := scenario(t, every)
	r := trials(t)
	for _, p := range plan(t, s)[:28] { // the first block
		record, err := r.Run(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		name := record.Variant + " " + record.LevelName
		if record.Outcome != results.OutcomeOK || len(record.Warnings) > 0 || len(record.Errors) > 0 {
			t.Errorf("%s: %s %s %v %+v\n%s", name, record.Outcome, record.Reason, record.Warnings, record.Errors, record.StderrTail)
			continue
		}
		if record.Overrun != nil {
			t.Errorf("%s: %s", name, record.Overrun)
		}
		d := record.Documents
		if d.Found != d.Expected || d.Expected < record.Items || d.Lost+d.Duplicate+d.Corrupt+d.Foreign+d.Unwritten != 0 {
			t.Errorf("%s: documents %+v of %d items", name, *d, record.Items)
		}
		if batches := p.Level.Scenario.Items.Batches; batches <= 1 && record.Upstream.Requests != record.Items {
			t.Errorf("%s: %d requests for %d items", name, record.Upstream.Requests, record.Items)
		}
		c := record.Descriptors
		if c.Leaked == nil || *c.Leaked != 0 {
			t.Errorf("%s: left open: %v", name, c.Leaked)
		}
		if c.Peak > c.Predicted || c.Inside.Upstream+c.Inside.Mongo+c.Baseline > c.Predicted {
			t.Errorf("%s: peak %d, inside %+v, baseline %d, predicted %d", name, c.Peak, *c.Inside, c.Baseline, c.Predicted)
		}
		// Their peaks can differ: the upstream notices a close later than the dialer,
		// and may have accepted the next connection by then.
		if c.Inside.Upstream < 1 || c.Inside.Upstream > record.Upstream.Connections {
			t.Errorf("%s: the upstream accepted %d connections, the dialer had %d open at once", name, record.Upstream.Connections, c.Inside.Upstream)
		}
		if record.Resources.Allocs == nil || *record.Resources.Allocs == 0 {
			t.Errorf("%s: no allocations", name)
		}
		if record.Makespan < record.Ideal || record.MakespanSource != "sut" {
			t.Errorf("%s: makespan %v (%s) below the ideal %v", name, record.Makespan, record.MakespanSource, record.Ideal)
		}
		if c := record.Machine; runtime.GOOS == "linux" && (c == nil || c.Busy == nil || c.Others == nil || c.Load == nil || c.Span < record.Makespan) {
			t.Errorf("%s: the machine did %+v", name, c)
		}
		if n := record.Stages["item"].Count; int(n) != record.Upstream.Requests {
			t.Errorf("%s: %d items recorded, %d requests", name, n, record.Upstream.Requests)
		}
	}
}

// foreign builds a SUT that shares no code with the built-in one.
func foreign(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "foreign")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", path, "./testdata/foreign").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func TestAnotherProgramAsSUT(t *testing.T) {
	path := foreign(t)
	for _, c := range []struct {
		mode, outcome, reason string
		documents             results.Documents
	}{
		{"", results.OutcomeOK, "", results.Documents{Expected: 4, Found: 4}},
		{"silent", results.OutcomeOK, "", results.Documents{Expected: 4, Found: 4}},
		{"lose one", results.OutcomeOK, "", results.Documents{Expected: 4, Found: 3, Lost: 1}},
		{"garble one", results.OutcomeOK, "", results.Documents{Expected: 4, Found: 4, Corrupt: 1}},
		{"double one", results.OutcomeOK, "", results.Documents{Expected: 4, Found: 5, Duplicate: 1}},
		{"invent one", results.OutcomeOK, "", results.Documents{Expected: 4, Found: 5, Foreign: 1}},
		{"crash", results.OutcomeCrashed, "exit status 1", results.Documents{Expected: 4, Unwritten: 4}},
		{"garbage", results.OutcomeFailed, "Traceback", results.Documents{Expected: 4, Unwritten: 4}},
		{"never ready", results.OutcomeFailed, `was not ready within 200ms (sut.ready_timeout): expected the line {"floodgate":1,"type":"ready"} on its standard output, got `, results.Documents{Expected: 4, Unwritten: 4}},
		{"no protocol", results.OutcomeFailed, `was not ready: expected the line {"floodgate":1,"type":"ready"} on its standard output, got "listening on :8080" on standard output`, results.Documents{Expected: 4, Unwritten: 4}},
		{"exit at once", results.OutcomeCrashed, `exit status 0 before it wrote the line {"floodgate":1,"type":"ready"}`, results.Documents{Expected: 4, Unwritten: 4}},
		{"hang", results.OutcomeTimeout, "sut.timeout", results.Documents{Expected: 4, Unwritten: 4}},
	} {
		t.Run(c.mode, func(t *testing.T) {
			s := scenario(t, `
version: 1
name: foreign
title: Another program
seed: 3
items: {kind: phone-numbers, duplicates: 0.2}
upstream: {late_bound: 10s, body: {min_records: 3, max_records: 5}}
variants: [{strategy: sequential}]
levels: [{items: 4}]
blocks: 6
`)
			s.SUT.Command = strings.Fields(path + " " + c.mode)
			if c.outcome == results.OutcomeTimeout {
				s.SUT.Timeout = scenarios.Duration(200 * time.Millisecond)
			}
			if c.mode == "never ready" {
				s.SUT.ReadyTimeout = scenarios.Duration(200 * time.Millisecond)
			}
			record, err := trials(t).Run(context.Background(), plan(t, s)[0])
			if err != nil {
				t.Fatal(err)
			}
			if record.NotReady != (c.mode == "never ready" || c.mode == "no protocol") {
				t.Errorf("not ready: %v", record.NotReady)
			}
			if record.Outcome != c.outcome || !strings.Contains(record.Reason, c.reason) {
				t.Fatalf("%s: %s, want %s: %s\n%s", record.Outcome, record.Reason, c.outcome, c.reason, record.StderrTail)
			}
			if record.Documents == nil || *record.Documents != c.documents {
				t.Errorf("documents %+v, want %+v", record.Documents, c.documents)
			}
			if c.outcome == results.OutcomeOK {
				checkOutside(t, record, c.mode)
			}
			if c.mode == "crash" && !strings.Contains(record.StderrTail, "this is why it crashed") {
				t.Errorf("stderr %q", record.StderrTail)
			}
		})
	}
}

// checkOutside checks the record of a program that reports nothing.
func checkOutside(t *testing.T, record results.Trial, mode string) {
	t.Helper()
	if record.MakespanSource != "outside" || record.Makespan <= 0 {
		t.Errorf("makespan %v from %q", record.Makespan, record.MakespanSource)
	}
	if record.Stages != nil || record.ItemsDone != nil || record.Descriptors.Inside != nil || record.Resources.Goroutines != nil || record.Resources.Allocs != nil {
		t.Errorf("figures that it does not report must be unavailable: %+v", record)
	}
	if record.Descriptors.Peak < record.Descriptors.Baseline || record.Descriptors.Baseline < 3 || record.Descriptors.Samples == 0 {
		t.Errorf("descriptors %+v", record.Descriptors)
	}
	if record.Resources.PeakRSS <= 0 || record.Resources.UserCPU+record.Resources.SystemCPU <= 0 {
		t.Errorf("resources %+v", record.Resources)
	}
	if want := map[bool]int{true: 3, false: 4}[mode == "lose one"]; record.Upstream.Requests != want {
		t.Errorf("%d requests, want %d", record.Upstream.Requests, want)
	}
	// A Go program that first connects after "ready" has its runtime's epoll and
	// eventfd open at the end.
	if left := record.Descriptors.Leaked; (left == nil) != (mode == "silent") || runtime.GOOS == "linux" && left != nil && *left != 0 {
		t.Errorf("left open: %v %+v", left, record.Descriptors.LeakedKinds)
	}
}

func TestASlowUpstreamMakesTheTrialInvalid(t *testing.T) {
	s := scenario(t, strings.Replace(every, "late_bound: 10s", "late_bound: 1ns, latency: {distribution: constant, value: 1ms}", 1))
	record, err := trials(t).Run(context.Background(), plan(t, s)[0])
	if err != nil {
		t.Fatal(err)
	}
	if record.Outcome != results.OutcomeInvalid || record.Makespan != 0 || !strings.Contains(record.Reason, "too slow") {
		t.Errorf("%s %v %q", record.Outcome, record.Makespan, record.Reason)
	}
}

func TestPlan(t *testing.T) {
	s := scenario(t, every)
	all := plan(t, s)
	if len(all) != 6*4*7 {
		t.Fatalf("%d trials", len(all))
	}
	seeds := map[uint64]bool{}
	orders := map[string]bool{}
	for block := range 6 {
		seen := map[string]bool{}
		order := ""
		for _, p := range all[block*28 : (block+1)*28] {
			if p.Block != block {
				t.Fatalf("trial %d is of block %d", p.Index, p.Block)
			}
			name := p.Variant.Name + " " + p.Level.Name
			seen[name] = true
			order += name + "\n"
			seeds[p.Seed] = true
		}
		if len(seen) != 28 {
			t.Errorf("block %d has %d of 28 different trials", block, len(seen))
		}
		orders[order] = true
	}
	if len(seeds) != 6 || len(orders) != 6 {
		t.Errorf("%d seeds and %d orders in 6 blocks", len(seeds), len(orders))
	}
	for i, p := range plan(t, s) { // the same again
		if p.Index != all[i].Index || p.Variant.Name != all[i].Variant.Name || p.Ideal != all[i].Ideal || p.Seed != all[i].Seed {
			t.Fatalf("trial %d differs from one plan to the next", i)
		}
	}
}

func TestInjectedFaultsAreFound(t *testing.T) {
	s := scenario(t, `
version: 1
name: planted
title: What is wrong on purpose
seed: 3
items: {kind: phone-numbers}
upstream: {late_bound: 10s}
sut: {nofile: 256}
variants: [{strategy: bounded, limit: 4}]
levels: [{items: 12}]
blocks: 6
`)
	planned := plan(t, s)[0]
	planned.Inject = sut.Faults{Descriptors: 20, LostWrites: 2}
	record, err := trials(t).Run(context.Background(), planned)
	if err != nil || record.Outcome != results.OutcomeOK {
		t.Fatalf("%v: %s %s", err, record.Outcome, record.Reason)
	}
	if d := record.Documents; d.Lost != 2 || d.Found != 10 {
		t.Errorf("documents %+v", *d)
	}
	if d := record.Descriptors; d.Peak <= d.Predicted || d.Peak < d.Baseline+20 || *d.Leaked != 0 {
		t.Errorf("descriptors %+v, %d left", d, *d.Leaked)
	}
}
