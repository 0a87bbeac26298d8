package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/bench/cli"
	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/harness"
	"floodgate/results"
	"floodgate/scenarios"
)

// The test binary is the command's children as well.
func TestMain(m *testing.M) {
	if code, ok := cli.Child(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); ok {
		os.Exit(code)
	}
	harness.Main(m, harness.Higher("reduction", "efficiency"), harness.Lower("lost-docs", "cpu-share"))
}

// laboratory runs single trials, as "floodgate run" does.
type laboratory struct {
	b      *testing.B
	trials *experiment.Trials
}

func newLaboratory(b *testing.B, env *environment.Environment) *laboratory {
	b.Helper()
	executable, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	return &laboratory{b: b, trials: experiment.NewTrials(env, executable, fmt.Sprintf("bench-%d", os.Getpid()))}
}

// run runs a trial that must be measured; one that the machine made invalid is tried again.
func (l *laboratory) run(t experiment.ScheduledTrial) results.Trial {
	l.b.Helper()
	for range 5 {
		record, err := l.trials.Run(context.Background(), t)
		switch {
		case err != nil:
			l.b.Fatal(err)
		case record.Outcome == results.OutcomeOK:
			return record
		case record.Outcome != results.OutcomeInvalid:
			l.b.Fatalf("%s %s: %s: %s\n%s", record.Variant, record.LevelName, record.Outcome, record.Reason, record.StderrTail)
		}
	}
	l.b.Skip("the machine is too busy: five trials in a row were invalid")
	return results.Trial{}
}

// reportScenario is the built-in scenario at one level.
func reportScenario(b *testing.B, items int) *scenarios.Scenario {
	b.Helper()
	s, err := scenarios.Builtin("report")
	if err != nil {
		b.Fatal(err)
	}
	s.Levels = []scenarios.LevelSet{{"items": items}}
	s.Blocks = 64 // draws to go through; a benchmark ends when it has enough
	return s
}

// pairs gives, block by block, the trials of the named variants.
func pairs(b *testing.B, s *scenarios.Scenario, variants ...string) [][]experiment.ScheduledTrial {
	b.Helper()
	plan, err := experiment.Schedule(s)
	if err != nil {
		b.Fatal(err)
	}
	blocks := make([][]experiment.ScheduledTrial, s.Blocks)
	for block := range blocks {
		for _, name := range variants {
			i := slices.IndexFunc(plan, func(t experiment.ScheduledTrial) bool { return t.Block == block && t.Variant.Name == name })
			if i < 0 {
				b.Fatalf("no variant %q in %s", name, s.Name)
			}
			blocks[block] = append(blocks[block], plan[i])
		}
	}
	return blocks
}

// BenchmarkReport runs the scenario report: one operation is one batch of the
// variant, in a process of its own, paired with a sequential one. ns/op is the
// batch's makespan.
func BenchmarkReport(b *testing.B) {
	const items = 50
	env := harness.Start(b)
	s := reportScenario(b, items)
	for _, v := range s.Variants {
		if v.Strategy == "sequential" {
			continue
		}
		b.Run(fmt.Sprintf("%s/items=%d", configuration(v), items), func(b *testing.B) {
			l := newLaboratory(b, env)
			blocks := pairs(b, s, "sequential", v.Name)
			var makespan, baseline time.Duration
			var efficiency float64
			var peak, leaked, errors, lost, n int
			item := hdrhistogram.New(1000, int64(time.Hour), 3)
			for b.Loop() {
				block := blocks[n%len(blocks)]
				base, t := l.run(block[0]), l.run(block[1])
				n++
				baseline += base.Makespan
				makespan += t.Makespan
				efficiency += t.Ideal.Seconds() / t.Makespan.Seconds()
				peak = max(peak, t.Descriptors.Peak)
				leaked += *t.Descriptors.Leaked
				for _, e := range t.Errors {
					errors += e.Count
				}
				lost += t.Documents.Lost
				h, err := t.Stages["item"].HDR()
				if err != nil {
					b.Fatal(err)
				}
				item.Merge(h)
			}
			b.ReportMetric(float64(makespan)/float64(n), "ns/op")
			harness.Measurement{
				Latency: item, Peak: &peak,
				Leaked: new(float64(leaked) / float64(n)), Errors: float64(errors) / float64(n),
			}.Report(b)
			b.ReportMetric(1-makespan.Seconds()/baseline.Seconds(), "reduction")
			b.ReportMetric(efficiency/float64(n), "efficiency")
			b.ReportMetric(float64(lost)/float64(n), "lost-docs")
		})
	}
}

// configuration names a variant as benchstat's keys do: strategy=bounded/limit=10.
func configuration(v scenarios.Variant) string {
	name := "strategy=" + string(v.Strategy)
	for _, p := range []struct {
		key   string
		value int
	}{{"limit", v.Limit}, {"writers", v.Writers}, {"queue", v.Queue}, {"batch", v.Batch}} {
		if p.value > 0 {
			name += fmt.Sprintf("/%s=%d", p.key, p.value)
		}
	}
	return name
}

// BenchmarkBetweenTrials runs trials of six items one after another, as "floodgate run"
// does. The time between two trials is the time that a trial takes beside its makespan:
// between-ms. cpu-ms is the CPU time of a trial in the harness and in the SUT's process,
// without that of the servers.
func BenchmarkBetweenTrials(b *testing.B) {
	s := reportScenario(b, 6)
	s.Variants = []scenarios.Variant{{Name: "bounded", Strategy: "bounded", Limit: 3}}
	l := newLaboratory(b, harness.Start(b))
	plan, err := experiment.Schedule(s)
	if err != nil {
		b.Fatal(err)
	}
	var makespan time.Duration
	trials := 0
	count := func(t results.Trial) error {
		if t.Outcome != results.OutcomeOK {
			return fmt.Errorf("%s: %s", t.Outcome, t.Reason)
		}
		makespan += t.Makespan
		trials++
		return nil
	}
	before := processTime(b)
	for b.Loop() {
		runner := experiment.Runner{Tester: l.trials, Append: count, Retries: 4}
		if err := runner.Run(context.Background(), plan, nil); err != nil {
			b.Fatal(err)
		}
	}
	n := float64(trials)
	b.ReportMetric((b.Elapsed()-makespan).Seconds()*1e3/n, "between-ms")
	b.ReportMetric((processTime(b)-before).Seconds()*1e3/n, "cpu-ms")
}

// BenchmarkEfficiency fetches 1000 items at a median of 20 ms (lognormal,
// sigma 0.5) and writes nothing: what is left between the ideal makespan and
// the measured one is the core's. To reach: 0.97 at a limit of 10, 0.94 at
// 100, 0.85 at 300.
func BenchmarkEfficiency(b *testing.B) {
	env := harness.Start(b)
	for _, limit := range []int{10, 100, 300} {
		b.Run(fmt.Sprintf("strategy=bounded/limit=%d/items=1000", limit), func(b *testing.B) {
			s := reportScenario(b, 1000)
			s.Variants = []scenarios.Variant{{Name: "bounded", Strategy: "bounded", Limit: limit}}
			blocks := pairs(b, s, "bounded")
			l := newLaboratory(b, env)
			l.trials.Unwritten = true
			var makespan time.Duration
			var reached []float64
			for b.Loop() {
				t := l.run(blocks[len(reached)%len(blocks)][0])
				makespan += t.Makespan
				reached = append(reached, t.Ideal.Seconds()/t.Makespan.Seconds())
			}
			b.ReportMetric(float64(makespan)/float64(len(reached)), "ns/op")
			b.ReportMetric(median(reached), "efficiency")
		})
	}
}

// BenchmarkObservation compares the SUT's CPU time with and without its
// recorder and the probe, in pairs. To reach: at most 0.02 of the SUT's CPU
// time. What the probe itself spends is spent in the harness: see the
// benchmarks of package probe.
func BenchmarkObservation(b *testing.B) {
	s := reportScenario(b, 1000)
	s.Variants = []scenarios.Variant{{Name: "bounded", Strategy: "bounded", Limit: 100}}
	blocks := pairs(b, s, "bounded")
	env := harness.Start(b)
	observed, bare := newLaboratory(b, env), newLaboratory(b, env)
	observed.trials.Unwritten, bare.trials.Unwritten, bare.trials.Unobserved = true, true, true
	var shares []float64
	for b.Loop() {
		n := len(shares)
		t := blocks[n%len(blocks)][0]
		first, second := observed, bare
		if n%2 == 1 { // neither is always the one that comes after the other
			first, second = bare, observed
		}
		one, two := cpu(first.run(t)), cpu(second.run(t))
		if n%2 == 1 {
			one, two = two, one
		}
		shares = append(shares, one/two-1)
	}
	b.ReportMetric(median(shares), "cpu-share")
}

func cpu(t results.Trial) float64 {
	return (t.Resources.UserCPU + t.Resources.SystemCPU).Seconds()
}

func median(values []float64) float64 {
	slices.Sort(values)
	if len(values) == 0 {
		return 0
	}
	return (values[len(values)/2] + values[(len(values)-1)/2]) / 2
}
