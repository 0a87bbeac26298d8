package pairs_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/pairs"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// served describes the trials of an HTTP service, without noise.
type served struct {
	p99, cpu, open float64
	failed         func(block int) int // nil means none
	outcome        string              // empty means ok
}

// trials returns the trials of one side in n blocks, with noise drawn from seed.
func (s served) trials(n int, seed uint64) []results.Trial {
	random := rand.New(rand.NewPCG(seed, 1))
	noisy := func(x float64) float64 { return x * math.Exp(0.01*random.NormFloat64()) }
	var all []results.Trial
	for block := range n {
		p99 := time.Duration(noisy(s.p99 * 1e6))
		t := results.Trial{
			Block: block, Variant: "limit-10", LevelName: "rate=100", Outcome: results.OutcomeOK,
			Resources:   results.Resources{UserCPU: time.Duration(noisy(s.cpu * 1e9)), PeakRSS: 50 << 20},
			Descriptors: results.Descriptors{Peak: int(s.open) + 9, Samples: 9},
			Service: &results.Service{
				Due: 1000, Ended: 1000, OK: 1000, Recovered: true,
				Response: results.Histogram{P50: p99 / 4, P99: p99}, ServiceTime: results.Histogram{P99: p99 / 2},
				Series: results.Series{At: []int64{0, 2000}, Columns: map[results.Column][]int64{results.ColumnDescriptors: {9, int64(s.open)}}},
			},
		}
		if s.failed != nil {
			t.Service.OK -= s.failed(block)
		}
		if s.outcome != "" {
			t.Outcome, t.Service = s.outcome, nil
		}
		all = append(all, t)
	}
	return all
}

func serviceOutcome(t *testing.T, a, b served, blocks int, over bool) *pairs.Outcome {
	t.Helper()
	v := &pairs.Outcome{Kind: pairs.Revisions, Design: stats.DefaultDesign()}
	ran := pairs.RevisionTrials{Service: true, Blocks: blocks, Descriptors: 10, Complete: over, A: a.trials(blocks, 3), B: b.trials(blocks, 4)}
	if err := pairs.JudgeTrials(v, []string{"limit-10"}, "rate=100", ran); err != nil {
		t.Fatal(err)
	}
	if err := v.Check(); err != nil {
		t.Error(err)
	}
	if _, err := json.Marshal(v); err != nil {
		t.Error(err)
	}
	return v
}

func TestAServiceIsJudgedByItsRequests(t *testing.T) {
	sound := served{p99: 20, cpu: 0.5, open: 20}
	some := func(n int) func(int) int { return func(int) int { return n } }
	for name, c := range map[string]struct {
		b      served
		a      func(int) int // number of requests of A that fail, by block
		blocks int
		over   bool
		worse  string // empty means nothing
		exit   int
		open   bool
	}{
		"the same":           {b: sound, blocks: 9, exit: verdict.ExitPassed},
		"slower":             {b: served{p99: 24, cpu: 0.5, open: 20}, blocks: 9, worse: pairs.ResponseP99, exit: verdict.ExitFailed},
		"more CPU":           {b: served{p99: 20, cpu: 0.6, open: 20}, blocks: 9, worse: pairs.CPUPerRequest, exit: verdict.ExitFailed},
		"descriptors":        {b: served{p99: 20, cpu: 0.5, open: 70}, blocks: 1, worse: "peak descriptors", exit: verdict.ExitFailed},
		"within the budget":  {b: served{p99: 20, cpu: 0.5, open: 30}, blocks: 9, exit: verdict.ExitPassed},
		"fails":              {b: served{p99: 20, cpu: 0.5, open: 20, failed: some(500)}, blocks: 10, worse: "requests failed", exit: verdict.ExitFailed},
		"fails, nine blocks": {b: served{p99: 20, cpu: 0.5, open: 20, failed: some(500)}, blocks: 9, exit: verdict.ExitInconclusive, open: true},
		"fails one":          {b: served{p99: 20, cpu: 0.5, open: 20, failed: func(block int) int { return max(0, 1-block) }}, blocks: 14, over: true, exit: verdict.ExitInconclusive},
		"both fail":          {b: served{p99: 20, cpu: 0.5, open: 20, failed: some(9)}, a: some(9), blocks: 9, exit: verdict.ExitPassed},
		"fails fewer":        {b: sound, a: some(9), blocks: 9, exit: verdict.ExitPassed},
		"crashes":            {b: served{p99: 20, cpu: 0.5, open: 20, outcome: results.OutcomeCrashed}, blocks: 1, worse: "trials that crashed or hung", exit: verdict.ExitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			a := sound
			a.failed = c.a
			v := serviceOutcome(t, a, c.b, c.blocks, c.over)
			var worse []string
			for _, cell := range v.Cells {
				if cell.Decides && cell.Decision == verdict.Worse {
					worse = append(worse, cell.Metric)
				}
			}
			for _, count := range v.Counts {
				if count.Decision == verdict.Worse {
					worse = append(worse, count.What)
				}
			}
			if (c.worse == "") != (len(worse) == 0) || c.worse != "" && worse[0] != c.worse || v.Exit != c.exit || v.Open() != c.open {
				t.Errorf("worse %q, exit %d, open %v; want %q, %d, %v\n%+v\n%+v", worse, v.Exit, v.Open(), c.worse, c.exit, c.open, v.Cells, v.Counts)
			}
			if math.Abs(v.FalseAlarm-0.025) > 1e-9 || v.Tests != 3 { // two cells and one tested count
				t.Errorf("false alarm %v", v.FalseAlarm)
			}
		})
	}
}

// TestFailuresByChanceAreNotWorse looks at the failed requests of two equal services
// after every block. Each of them fails some by chance.
func TestFailuresByChanceAreNotWorse(t *testing.T) {
	const gates, blocks = 400, 48
	worse := 0
	for gate := range gates {
		random := rand.New(rand.NewPCG(uint64(gate), 9))
		chance := func(int) int { return random.IntN(40) }
		a := served{p99: 20, cpu: 0.5, open: 20, failed: chance}.trials(blocks, 1)
		b := served{p99: 20, cpu: 0.5, open: 20, failed: chance}.trials(blocks, 2)
		for n := 1; n <= blocks; n++ {
			c := pairs.FailedRequests(stats.DefaultDesign(), a[:n], b[:n])
			if c.Decision == verdict.Worse {
				worse++
				break
			}
		}
	}
	if worse > gates/40 { // alpha/2
		t.Errorf("%d of %d gates called the same service worse", worse, gates)
	}
}
