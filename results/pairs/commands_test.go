package pairs_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results/pairs"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// noisy returns pairs whose B is ratio times A, with noise of the standard deviation sd, drawn from seed.
func noisy(n int, ratio, sd float64, seed uint64) []pairs.Pair {
	random := rand.New(rand.NewPCG(seed, 1))
	all := make([]pairs.Pair, n)
	for i := range all {
		a := 1e6 * math.Exp(0.2*random.NormFloat64()) // common to both sides
		all[i] = pairs.Pair{A: a, B: a * ratio * math.Exp(sd*random.NormFloat64())}
	}
	return all
}

func commands(t *testing.T, all []pairs.Pair, over bool) *pairs.Outcome {
	t.Helper()
	v := &pairs.Outcome{Kind: pairs.Commands, Design: stats.DefaultDesign()}
	err := pairs.JudgeCommands(v, pairs.CommandPairs{Metric: pairs.Wall, Complete: over, Pairs: map[string][]pairs.Pair{pairs.Wall: all}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCommandsAreJudgedByTheirPairs(t *testing.T) {
	most := stats.DefaultDesign().At[len(stats.DefaultDesign().At)-1]
	for _, c := range []struct {
		name    string
		n       int
		ratio   float64
		over    bool
		verdict verdict.Word
		open    bool
		exit    int
	}{
		{"20 % worse", 8, 1.2, false, verdict.Worse, false, verdict.ExitFailed},
		{"the same", 8, 1, false, verdict.NotWorse, false, verdict.ExitPassed},
		{"20 % better", 8, 0.8, false, verdict.NotWorse, false, verdict.ExitPassed},
		{"worse within the margin", most, 1.03, false, verdict.NotWorse, false, verdict.ExitPassed},
		{"too few", 7, 1.2, false, verdict.Open, true, verdict.ExitInconclusive},
		{"too few, and no more", 7, 1.2, true, verdict.Undecided, false, verdict.ExitInconclusive},
		{"none, and no more", 0, 1, true, verdict.Undecided, false, verdict.ExitNotMeasured},
		{"at the margin", most, 1.05, false, verdict.Undecided, false, verdict.ExitInconclusive},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := commands(t, noisy(c.n, c.ratio, 0.005, 7), c.over)
			if got := v.Cells[0]; got.Decision != c.verdict || v.Open() != c.open || v.Exit != c.exit {
				t.Errorf("%s, open %v, exit %d; want %s, %v, %d: %+v", got.Decision, v.Open(), v.Exit, c.verdict, c.open, c.exit, got)
			}
			if _, err := json.Marshal(v); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOnlyDecidingMetricsDecide(t *testing.T) {
	v := &pairs.Outcome{Design: stats.DefaultDesign()}
	err := pairs.JudgeCommands(v, pairs.CommandPairs{Metric: pairs.Wall, Pairs: map[string][]pairs.Pair{
		pairs.Wall: noisy(8, 1, 0.005, 1), pairs.CPU: noisy(8, 2, 0.005, 1),
	}})
	if err != nil || v.Exit != verdict.ExitPassed || len(v.Cells) != 2 || v.Cells[1].Decision != verdict.Worse || v.Cells[1].Decides {
		t.Errorf("%v: exit %d, %+v", err, v.Exit, v.Cells)
	}
	if v.FalseAlarm != 0.025 {
		t.Errorf("false alarm %v with one figure that decides", v.FalseAlarm)
	}
}

func TestUnmeasuredIsNotAPass(t *testing.T) {
	v := &pairs.Outcome{Design: stats.DefaultDesign(), Unmeasured: "B failed"}
	err := pairs.JudgeCommands(v, pairs.CommandPairs{Metric: pairs.Wall, Complete: true, Pairs: map[string][]pairs.Pair{pairs.Wall: noisy(8, 1, 0.005, 1)}})
	if err != nil || v.Exit != verdict.ExitNotMeasured {
		t.Errorf("%v: exit %d", err, v.Exit)
	}
}

func TestImpossibleFiguresAreErrors(t *testing.T) {
	for _, bad := range []pairs.Pair{{A: 0, B: 1}, {A: 1, B: -1}, {A: math.NaN(), B: 1}, {A: 1, B: math.Inf(1)}} {
		v := &pairs.Outcome{Design: stats.DefaultDesign()}
		m := pairs.CommandPairs{Metric: pairs.Wall, Pairs: map[string][]pairs.Pair{pairs.Wall: append(noisy(8, 1, 0.01, 1), bad)}}
		if err := pairs.JudgeCommands(v, m); err == nil || !strings.Contains(err.Error(), "judge wall") {
			t.Errorf("%v: error %v", bad, err)
		}
	}
}

// A final verdict does not change with later pairs, and the same pairs give the same
// JSON.
func TestAFinalVerdictStays(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		at := stats.DefaultDesign().At
		all := noisy(at[len(at)-1], rapid.Float64Range(0.8, 1.3).Draw(r, "ratio"), rapid.Float64Range(0.001, 0.1).Draw(r, "noise"), rapid.Uint64().Draw(r, "seed"))
		final := verdict.Open
		var reached []byte
		for n := range len(all) + 1 {
			if near := slices.ContainsFunc(at, func(look int) bool { return n == look || n == look+1 }); !near {
				continue // no analysis yet
			}
			v := commands(t, all[:n], false)
			cell := v.Cells[0]
			cell.Pairs, cell.Time = 0, 0 // they count all pairs
			text, err := json.Marshal(cell)
			if err != nil {
				r.Fatal(err)
			}
			if final != verdict.Open && string(text) != string(reached) {
				r.Fatalf("after %d pairs %s, was %s", n, text, reached)
			}
			if final = cell.Decision; final != verdict.Open {
				reached = text
			}
		}
	})
}

// A remark about the bootstrap at one analysis is dropped at the next, if it agrees
// there.
func TestRemarksAreOfTheLastAnalysis(t *testing.T) {
	v := &pairs.Outcome{Kind: pairs.Commands, Design: stats.DefaultDesign(), Notes: []string{"A and B are the same revision"}}
	noted := func(all []pairs.Pair) bool {
		t.Helper()
		if err := pairs.JudgeCommands(v, pairs.CommandPairs{Metric: pairs.Wall, Complete: true, Pairs: map[string][]pairs.Pair{pairs.Wall: all}}); err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(v.Remarks, func(n string) bool { return strings.Contains(n, "bootstrap") })
	}
	early := false
	for seed := range uint64(400) {
		if noted(noisy(8, 1.03, 0.02, seed)) {
			early = true
			if noted(noisy(40, 1, 0.001, seed)) {
				t.Errorf("seed %d: %q", seed, v.Remarks)
			}
			break
		}
	}
	if !early {
		t.Error("the bootstrap never disagreed: nothing was tested")
	}
	if !slices.Contains(v.Notes, "A and B are the same revision") {
		t.Errorf("other notes went: %q", v.Notes)
	}
}
