package pairs_test

import (
	"math"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/pairs"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// What moved is named with its interval, what did not is unchanged, and what a trial lacks
// is left out.
func TestMovements(t *testing.T) {
	var ran pairs.RevisionTrials
	for block := range 8 {
		noise := 1 + 0.001*float64(block%3)
		trial := func(fetch, cpu float64, allocs uint64) results.Trial {
			stage := func(ms float64) results.Histogram {
				return results.Histogram{Count: 100, Mean: time.Duration(ms * noise * 1e6)}
			}
			return results.Trial{
				Block: block, Variant: "one", LevelName: "items=100", Items: 100, Outcome: results.OutcomeOK, Makespan: time.Second,
				Stages:    map[string]results.Histogram{"fetch": stage(fetch), "write": stage(10), "queue": stage(0.01), "item": stage(fetch + 10)},
				Resources: results.Resources{UserCPU: time.Duration(cpu * noise * 1e9), Allocs: new(100 * allocs)}, Descriptors: results.Descriptors{Peak: 20, Samples: 9},
			}
		}
		ran.A, ran.B = append(ran.A, trial(40, 1, 50)), append(ran.B, trial(44.4, 0.9, 53))
	}
	ran.Blocks = 8
	v := &pairs.Outcome{Kind: pairs.Revisions, Design: stats.DefaultDesign()}
	if err := pairs.JudgeTrials(v, []string{"one"}, "items=100", ran); err != nil {
		t.Fatal(err)
	}
	want := []struct {
		kind, name string
		change     float64
		verdict    verdict.Word
	}{
		{pairs.StageMoved, "fetch", 0.11, verdict.Worse}, {pairs.StageMoved, "write", 0, verdict.Same},
		{pairs.ResourceMoved, "CPU per item", -0.1, verdict.Better}, {pairs.ResourceMoved, "allocations per item", 3, verdict.Worse},
		{pairs.ResourceMoved, "peak descriptors", 0, verdict.Same},
	}
	if len(v.Movements) != len(want) {
		t.Fatalf("%d movements, want %d: %+v", len(v.Movements), len(want), v.Movements)
	}
	for i, w := range want {
		m := v.Movements[i]
		if m.Kind != w.kind || m.Name != w.name || math.Abs(m.Change.Estimate-w.change) > 0.001 || m.Decision != w.verdict || m.Variant != "one" ||
			m.Change.Low > m.Change.Estimate || m.Change.High < m.Change.Estimate {
			t.Errorf("%+v, want %+v", m, w)
		}
	}
}
