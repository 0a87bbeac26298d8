package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/atomicfile"
	"floodgate/results/leak"
	"floodgate/scenarios"
)

var (
	noLeak    = flag.Int("no-leak", 0, "run this `number` of trials without a leak under each shape of load (make no-leak)")
	noLeakDir = flag.String("no-leak.dir", "", "`folder` of the trials' records; those that it holds are judged again, not run again")
)

// shape is a load and a service under it whose descriptors grow nearly as if they leaked.
type shape struct {
	name string
	// service and upstream are parts of a scenario; idle and files are flags of the
	// service (idle connections that it keeps, files that it opens).
	service, upstream string
	idle, files       int
}

// shapes grow the load, the response time, pools that keep what the load once needed, and
// a cache.
var shapes = []shape{
	{name: "low", service: "arrivals: {rate: 10}"},
	{name: "high", service: "arrivals: {rate: 150}"},
	{name: "poisson", service: "arrivals: {rate: 100, poisson: true}", idle: 1000},
	{name: "ramp", service: "arrivals: {pattern: linear, rate: 10, to: 150}"},
	{name: "ramp, pool", service: "arrivals: {pattern: linear, rate: 10, to: 150, poisson: true}", idle: 1000},
	{name: "step, pool", service: "arrivals: {pattern: steps, poisson: true, steps: [{rate: 30, for: 4s}, {rate: 150, for: 4s}]}", idle: 1000},
	{name: "stop and go", service: "arrivals: {pattern: steps, poisson: true, steps: [" + strings.Repeat("{rate: 150, for: 1s}, {rate: 0, for: 1s}, ", 4) + "]}", idle: 1000},
	{name: "slower and slower", service: "arrivals: {rate: 60}", upstream: slower(40, 80, 120, 180, 250, 350, 500), idle: 1000},
	{name: "slow upstream", service: "arrivals: {rate: 60}", upstream: slower(20, 20, 20, 300), idle: 1000},
	{name: "no keep-alive", service: "arrivals: {rate: 100}, connections: {keepalive: false}"},
	{name: "cache fills", service: "arrivals: {rate: 25}", files: 50},
}

// leakingShapes names those that run with the planted leak of every tenth request, too, in
// a quarter of the trials.
var leakingShapes = []string{"high", "step, pool", "slow upstream"}

// slower returns the phases of an upstream with another median latency, in milliseconds,
// each second.
func slower(medians ...int) string {
	var phases []string
	for i, ms := range medians {
		phases = append(phases, fmt.Sprintf("{after: %ds, latency: {distribution: lognormal, median: %dms, sigma: 0.5}}", i+1, ms))
	}
	return ", phases: [" + strings.Join(phases, ", ") + "]"
}

// scenario returns that of a trial, in which one in every requests leaks; zero means none.
func (s shape) scenario(t *testing.T, program string, every, trial int) *scenarios.Scenario {
	t.Helper()
	parsed, err := scenarios.Parse(s.name, fmt.Appendf(nil, `version: 1
name: no-leak
title: A service under load
seed: %d
sut:
  command: [%q, -addr, "{{addr}}", -leak-every, "%d", -idle, "%d", -files, "%d"]
  env: {UPSTREAM_URL: "{{upstream.url}}"}
  ready: /healthz
service: {requests: [{method: POST, path: "/reports/{{n}}"}], duration: 8s, %s}
upstream: {latency: {distribution: lognormal, median: 20ms, sigma: 0.5}, late_bound: 1s, late_p99_bound: 1s%s}
`, trial+1, program, every, cmp.Or(s.idle, 2), s.files, s.service, s.upstream))
	if err != nil {
		t.Fatal(err)
	}
	parsed.Blocks = 1
	return parsed
}

// plantedEvery is the number of requests of which one leaks.
const plantedEvery = 10

// TestNoLeak counts how often a service that does not leak is found to leak, which must
// be never, and how often the planted leak is found, which must be always, and found as
// 0.100 ± 0.01 descriptors a request.
func TestNoLeak(t *testing.T) {
	if *noLeak <= 0 {
		t.Skip("takes about 10 seconds a trial: make no-leak")
	}
	l := leakTrials{t: t, dir: *noLeakDir}
	if l.dir == "" {
		l.dir = t.TempDir()
	}
	l.program = filepath.Join(t.TempDir(), "leaky")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", l.program, "floodgate/scenarios/examples/leaky").CombinedOutput(); err != nil {
		t.Fatalf("build the service: %v\n%s", err, out)
	}
	env, err := environment.Start(t.Context(), environment.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l.trials = experiment.NewTrials(env, executable, "no-leak")
	fmt.Printf("%-18s %5s %5s  %-12s  %s\n", "shape", "leak", "trial", "verdict", "descriptors a request")
	var table strings.Builder
	trials, wrong := 0, 0
	for _, s := range shapes {
		count := l.all(s, 0, *noLeak)
		trials += *noLeak
		wrong += count.called
		fmt.Fprintf(&table, "%-18s %s\n", s.name, count)
	}
	for _, s := range shapes {
		for _, name := range leakingShapes {
			if s.name == name {
				count := l.all(s, plantedEvery, max(1, *noLeak/4))
				fmt.Fprintf(&table, "%-18s %s, with one in %d requests leaking; %d of %d found as 0.10 ± 0.01\n", s.name, count, plantedEvery, count.found, count.n)
				if count.called < count.n {
					t.Errorf("%s: the planted leak was found in %d of %d trials", s.name, count.called, count.n)
				}
			}
		}
	}
	fmt.Print(table.String())
	fmt.Printf("%d of %d trials without a leak were called one\n", wrong, trials)
	if wrong > 0 {
		t.Errorf("%d of %d trials without a leak were called one; %s has their records", wrong, trials, l.dir)
	}
}

// leakTrials runs trials, or reads them where they ran before.
type leakTrials struct {
	t            *testing.T
	dir, program string
	trials       *experiment.Trials
}

// tally counts n trials by verdict.
type tally struct {
	n      int
	causes map[leak.Cause]int
	// called were called a leak or both, found of them with 0.100 ± 0.01 descriptors a request.
	called, found int
}

func (c tally) String() string {
	var words []string
	for _, cause := range []leak.Cause{leak.Leak, leak.Both, leak.Load, leak.Neither, leak.Undecided} {
		if n := c.causes[cause]; n > 0 {
			words = append(words, fmt.Sprintf("%s %d", cause, n))
		}
	}
	return strings.Join(words, ", ")
}

func (l leakTrials) all(s shape, every, n int) tally {
	count := tally{n: n, causes: map[leak.Cause]int{}}
	for trial := range n {
		a := l.judged(s, every, trial)
		count.causes[a.Cause]++
		estimate := "unknown"
		if a.PerRequest != nil {
			estimate = fmt.Sprintf("%.4f", *a.PerRequest)
		}
		if a.Cause == leak.Leak || a.Cause == leak.Both {
			count.called++
			if v := *a.PerRequest; v >= 0.09 && v <= 0.11 {
				count.found++
			}
		}
		planted := "none"
		if every > 0 {
			planted = fmt.Sprintf("1/%d", every)
		}
		fmt.Printf("%-18s %5s %5d  %-12s  %s\n", s.name, planted, trial+1, a.Cause, estimate)
	}
	return count
}

// attempts bounds the attempts at a trial in which the machine stood still so often that
// fewer than leastSamples were taken, half of those that eight seconds have.
const (
	attempts     = 5
	leastSamples = 40
)

// judged returns the verdict of "attack" on a trial. It counts although the generator was
// late, which makes response times wrong, not descriptors.
func (l leakTrials) judged(s shape, every, trial int) *attackOutcome {
	parsed := s.scenario(l.t, l.program, every, trial)
	path := filepath.Join(l.dir, fmt.Sprintf("%s-%d-%d.json", strings.NewReplacer(",", "", " ", "-").Replace(s.name), every, trial+1))
	var record results.Trial
	switch text, err := os.ReadFile(path); {
	case err == nil:
		if err := json.Unmarshal(text, &record); err != nil {
			l.t.Fatalf("%s: %v; remove it to run the trial again", path, err)
		}
		return l.verdict(parsed, record)
	case !errors.Is(err, fs.ErrNotExist):
		l.t.Fatal(err)
	}
	schedule, err := experiment.Schedule(parsed)
	if err != nil {
		l.t.Fatal(err)
	}
	for range attempts {
		if _, err := l.trials.Ensure(l.t.Context()); err != nil {
			l.t.Fatal(err)
		}
		if record, err = l.trials.Run(l.t.Context(), schedule[0]); err != nil {
			l.t.Fatal(err)
		}
		if record.Service != nil && len(record.Service.Series.At) >= leastSamples {
			break
		}
	}
	if record = withoutLatencies(record); record.Outcome != results.OutcomeOK {
		l.t.Fatalf("%s, trial %d could not be measured: %s: %s", s.name, trial+1, record.Outcome, record.Reason)
	}
	text, err := json.Marshal(record)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := atomicfile.Write(path, text); err != nil {
		l.t.Fatal(err)
	}
	return l.verdict(parsed, record)
}

// verdict returns the verdict of "attack" on a record.
func (l leakTrials) verdict(s *scenarios.Scenario, record results.Trial) *attackOutcome {
	header, err := experiment.Header(s, false, results.Environment{}, record.Started)
	if err != nil {
		l.t.Fatal(err)
	}
	a, err := judgeAttack(&results.Run{Header: header, Trials: []results.Trial{record}})
	if err != nil {
		l.t.Fatal(err)
	}
	return a
}
