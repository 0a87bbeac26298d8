package reporttest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/baseline"
	"floodgate/results/compare"
	"floodgate/results/gobench"
	"floodgate/results/internal/runtest"
	"floodgate/results/pairs"
	"floodgate/results/stats"
	"floodgate/scenarios"
)

// Comparisons returns comparisons by name. They are made once.
var Comparisons = sync.OnceValue(func() map[string]*compare.Comparison {
	slower := runtest.New(runtest.Options{Claims: runtest.Claims(), Change: func(t *results.Trial) bool {
		t.Makespan += t.Makespan / 20
		return t.Variant != "batched"
	}})
	slower.Header.ID += "-b"
	messy, other := runtest.New(runtest.Options{Blocks: 6, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": []any{20, 50}}}}), runtest.Contained()
	other.Trials = append([]results.Trial{}, other.Trials...)
	for i := range 2 {
		other.Trials[i].Outcome, other.Trials[i].Makespan, other.Trials[i].Stages = results.OutcomeCrashed, 0, nil
	}
	other.Header.Fingerprint.Cores = 8
	return map[string]*compare.Comparison{
		"alike": Compare(Runs()["clean"], slower),
		"mixed": Compare(messy, other),
	}
})

// Compare compares two runs, even of different environments.
func Compare(a, b *results.Run) *compare.Comparison {
	c, err := compare.Compare(a, b, compare.Options{AllowMixed: true})
	if err != nil {
		panic(err)
	}
	return c
}

// NothingShared compares runs without a level in common.
func NothingShared() *compare.Comparison {
	other := runtest.New(runtest.Options{Blocks: 6, Bare: true, Levels: []scenarios.LevelSet{{"items": []any{10, 60}}}})
	other.Header.ID += "-b"
	return Compare(Runs()["clean"], other)
}

// FewCells returns a run with few cells.
func FewCells(variants []scenarios.Variant, levels scenarios.LevelSet, change func(t *results.Trial) bool) *results.Run {
	return runtest.New(runtest.Options{Blocks: 8, Variants: variants, Levels: []scenarios.LevelSet{levels}, Claims: runtest.Claims()[3:], Change: change})
}

// BaselineOutcomes returns outcomes with verdicts of every kind, by name.
var BaselineOutcomes = sync.OnceValue(func() map[string]*baseline.Outcome {
	some := append(runtest.Variants()[:2:2], runtest.Variants()[3])
	items := scenarios.LevelSet{"items": []any{20, 200}}
	good := FewCells(some, items, nil)
	worse := FewCells(append(some[:2:2], runtest.Variants()[5]), items, func(t *results.Trial) bool {
		switch {
		case t.Variant == "joined-10" && t.Items == 200:
			t.Makespan += t.Makespan / 2
			t.Descriptors.Peak += 20
			t.Resources.PeakRSS = 0
		case t.Variant == "joined-10" && t.Block == 2:
			t.Documents.Found, t.Documents.Lost = t.Items-1, 1
			t.Errors = []results.ErrorCount{{Type: "emfile", Side: "mongo", Count: 3, Sample: "x"}}
		case t.Variant == "sequential" && t.Items == 200 && t.Block > 2:
			t.Makespan *= 2
		}
		return true
	})
	elsewhere := FewCells(some, items, nil)
	elsewhere.Header.Fingerprint.CPU, elsewhere.Header.Fingerprint.Cores = "Apple M9", 12
	nothing := FewCells(some, items, func(*results.Trial) bool { return false })
	long := scenarios.LevelSet{"items": []any{20}, "upstream.latency.median": []any{"5ms", "100ms"}}
	return map[string]*baseline.Outcome{
		"held": JudgeBaseline(good, FewCells(some, items, nil), false), "worse": JudgeBaseline(good, worse, true), "elsewhere": JudgeBaseline(good, elsewhere, false),
		"nothing": JudgeBaseline(good, nothing, false),
		"long":    JudgeBaseline(FewCells(some[:2], long, nil), FewCells(some[:2], long, func(t *results.Trial) bool { t.Makespan += 3 * time.Millisecond; return t.Block < 6 }), false),
	}
})

// JudgeBaseline compares run with the baseline of old.
func JudgeBaseline(old, run *results.Run, strict bool) *baseline.Outcome {
	run.Header.ID += "-b"
	b, err := baseline.FromRun(old)
	if err != nil {
		panic(err)
	}
	v, err := baseline.Gate("results/baseline/report.yaml", b, run, baseline.Options{Margin: baseline.DefaultMargin, ShareMargin: baseline.DefaultShareMargin, StrictTimes: strict})
	if err != nil {
		panic(err)
	}
	return v
}

// measured returns n results of a benchmark, each slightly larger than the previous
// one.
func measured(name string, n int, values ...any) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Benchmark%s-2 1000", name)
		for k := 0; k < len(values); k += 2 {
			fmt.Fprintf(&b, " %g %s", values[k].(float64)*(1+0.004*float64(i)), values[k+1])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// GoBenchOutcomes returns outcomes of every kind, by name.
func GoBenchOutcomes(t *testing.T) map[string]*gobench.Outcome {
	t.Helper()
	long := "Pipeline/strategy=staged/limit=300/writers=100/queue=1000/items=10000/database=embedded/link=slow"
	worse := func(f float64) string {
		return "pkg: floodgate/a\ncpu: A\n" + measured("Fetch", 10, 1.2e6*f, "ns/op", 81.5/f, "MB/s", 0.0, "allocs/op") +
			measured("Write", 10, 3.5e3/f, "ns/op") + "pkg: floodgate/b\n" + measured("Fetch", 8, 5e8, "ns/op")
	}
	cases := map[string]struct {
		older, newer string
		o            gobench.Options
	}{
		"worse":  {worse(1), worse(1.07), gobench.Options{Margin: new(0.0)}},
		"apart":  {worse(1), worse(1.07), gobench.Options{Spread: &gobench.Spread{Interleaved: 0.02, Apart: 0.05, From: "self-test 20261128-100000.000-abcdef", CPU: "A"}}},
		"turns":  {"interleaved: 20261128-110000.000-abcdef\n" + worse(1), "interleaved: 20261128-110000.000-abcdef\n" + worse(1.07), gobench.Options{}},
		"margin": {worse(1), worse(1.07), gobench.Options{Margin: new(0.1)}},
		"few":    {measured("A", 3, 1e6, "ns/op") + measured("B", 3, 1e6, "ns/op"), measured("A", 3, 2e6, "ns/op") + measured("B", 3, 1e6, "ns/op"), gobench.Options{Margin: new(0.0)}},
		"nothing": {measured("A", 6, 1e6, "ns/op"), measured("B", 6, 1e6, "ns/op"),
			gobench.Options{AllowMissing: true}},
		"processors": {measured("A", 6, 1e6, "ns/op") + measured("B/n=1", 6, 1e6, "ns/op"),
			strings.ReplaceAll(measured("A", 6, 1e6, "ns/op")+measured("B/n=1", 6, 1e6, "ns/op"), "-2 ", "-8 "), gobench.Options{AllowMissing: true}},
		"odd": {
			"cpu: A\nUnit fds better=lower assume=exact\n" + measured(long, 6, 1.0, "ns/op", -5.0, "shift", 7e300, "huge") + measured("A", 1, 12.0, "fds") + measured("Gone", 6, 1.0, "ns/op"),
			"cpu: B\n" + measured(long, 7, 1.0, "ns/op", 5.0, "shift", 1e-300, "huge") + measured("A", 1, 12.0, "fds") + measured("Added", 6, 1.0, "ns/op"),
			gobench.Options{AllowMissing: true, AllowMixed: true},
		},
	}
	verdicts := map[string]*gobench.Outcome{}
	for name, c := range cases {
		c.o.Alpha = 0.05
		v, err := gobench.Judge(gobench.Input{Name: "old.txt", Reader: strings.NewReader(c.older)}, gobench.Input{Name: "new.txt", Reader: strings.NewReader(c.newer)}, c.o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		verdicts[name] = v
	}
	return verdicts
}

// MadePairs returns pairs whose B takes about ratio times as long as A.
func MadePairs(n int, ratio, wobble float64) (all []pairs.Pair) {
	for i := range n {
		a := 80e6 * (1 + 0.01*float64(i%5))
		all = append(all, pairs.Pair{A: a, B: a * ratio * (1 + wobble*float64(i*7%n-n/2)/float64(n))})
	}
	return all
}

// AnyMachine returns the machine of the fixtures.
var AnyMachine = results.Fingerprint{CPU: "Some CPU", Cores: 2, Memory: 8 << 30, OS: "linux", Arch: "amd64"}

// PairsOutcome returns the outcome of a comparison in pairs by name.
func PairsOutcome(t *testing.T, name string) *pairs.Outcome {
	t.Helper()
	v := &pairs.Outcome{ID: "20261123-080000.000-abcdef", Seed: 1, Design: stats.DefaultDesign(), Machine: AnyMachine, Records: "results/gates/20261123-080000.000-abcdef"}
	var err error
	switch name {
	case "commands":
		v.Kind, v.A.Name, v.B.Name = pairs.Commands, "./old --x", "./new --x"
		err = pairs.JudgeCommands(v, pairs.CommandPairs{Metric: pairs.Wall, Pairs: map[string][]pairs.Pair{
			pairs.Wall: MadePairs(8, 1.2, 0.02), pairs.CPU: MadePairs(8, 1.3, 0.02), pairs.RSS: MadePairs(8, 1, 0.01),
		}})
	case "unmeasured":
		v.Kind, v.A.Name, v.B.Name, v.Unmeasured = pairs.Commands, "true", "false", "B failed in pair 3: exit status 1"
		err = pairs.JudgeCommands(v, pairs.CommandPairs{Metric: pairs.Wall, Complete: true})
	case "pairless": // no trial of B was valid
		v.Kind, v.Scenario, v.A.Name, v.B.Name = pairs.Revisions, "report", "main", "working tree"
		ran := pairs.RevisionTrials{Blocks: 2, Descriptors: 10, Complete: true}
		for i := range 2 {
			b := trialOf(i, 80e6, 0)
			b.Outcome, b.Reason = results.OutcomeInvalid, "the mock upstream was too slow"
			ran.A, ran.B = append(ran.A, trialOf(i, 80e6, 0)), append(ran.B, b)
		}
		err = pairs.JudgeTrials(v, []string{"bounded-10"}, "items=200", ran)
	case "revisions":
		v.Kind, v.Scenario = pairs.Revisions, "report"
		v.A = pairs.Side{Name: "main~3", Revision: "0123456789abcdef"}
		v.B = pairs.Side{Name: "working tree", Revision: "fedcba9876543210", Modified: true}
		v.Environment = &results.Environment{Kind: "embedded", Database: "FerretDB", Upstream: "floodgate mock upstream"}
		v.Notes = []string{"floodgate is replaced by ../floodgate, outside of the repository: both sides are built with its current content"}
		ran := pairs.RevisionTrials{Blocks: 8, Descriptors: 10}
		for i, p := range MadePairs(8, 1.01, 0.02) {
			ran.A, ran.B = append(ran.A, trialOf(i, p.A, 0)), append(ran.B, trialOf(i, p.B, 0))
		}
		ran.B[7] = trialOf(7, 80e6, 1)
		err = pairs.JudgeTrials(v, []string{"bounded-10"}, "items=200", ran)
		if err == nil {
			err = v.SetExpected(nil)
		}
	}
	if err == nil {
		err = v.SetAchieved()
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// trialOf returns a trial that lost some documents.
func trialOf(block int, makespan float64, lost int) results.Trial {
	return results.Trial{
		Block: block, Variant: "bounded-10", LevelName: "items=200", Outcome: results.OutcomeOK, Makespan: time.Duration(makespan),
		Documents:   &results.Documents{Expected: 200, Found: 200 - lost, Lost: lost},
		Descriptors: results.Descriptors{Peak: 26, Samples: 9, Leaked: new(int)},
	}
}

// PairKinds returns the names of [PairsOutcome].
func PairKinds() []string { return []string{"commands", "unmeasured", "revisions", "pairless"} }
