package claims_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// stepAt is the time of the step in the runs of these tests, which last six seconds.
const stepAt, adaptedFor = 2 * time.Second, 6 * time.Second

// sampled returns a time series with a limit (none if it is nil) and a rate of items.
func sampled(limit func(at float64) float64, rate func(at float64) float64) *results.Series {
	s := &results.Series{}
	done := 0.0
	for at := time.Duration(0); at <= adaptedFor; at += 50 * time.Millisecond {
		values := map[results.Column]int64{results.ColumnDone: int64(done)}
		if len(s.At) == 0 {
			s.Only(results.ColumnDone)
			if limit != nil {
				s.Only(results.ColumnDone, results.ColumnSlotLimit)
			}
		}
		if limit != nil {
			values[results.ColumnSlotLimit] = int64(limit(at.Seconds()))
		}
		s.Append(at, values)
		done += rate(at.Seconds()) / 20
	}
	return s
}

// after returns one value before the step and another one after it.
func after(before, later float64) func(at float64) float64 {
	return func(at float64) float64 {
		if at < stepAt.Seconds() {
			return before
		}
		return later
	}
}

// overshooting is a limit that rises from 10 to 30 within a second of the step, and is 20
// from another second on.
func overshooting(at float64) float64 {
	switch after := at - stepAt.Seconds(); {
	case after < 0:
		return 10
	case after < 1:
		return 10 + 20*after
	case after < 2:
		return 30 - 10*(after-1)
	}
	return 20
}

// adapted judges one claim about a run of 6 blocks with the limits 10 and 20, of which 10
// is enough before the step and 20 after it, and an adaptive variant that takes 5 % longer.
func adapted(t *testing.T, claim scenarios.AdaptationClaim, change func(*results.Trial)) claims.Claim {
	t.Helper()
	claim.Of = []string{"ada"}
	run := runtest.New(runtest.Options{
		Blocks: 6, Bare: true, Levels: []scenarios.LevelSet{{"items": 1000}},
		Variants: []scenarios.Variant{
			{Name: "bounded-20", Strategy: "bounded", Limit: 20}, {Name: "bounded-10", Strategy: "bounded", Limit: 10},
			{Name: "ada", Strategy: "adaptive", Algorithm: "vegas"},
		},
		Claims: []scenarios.Claim{{ID: "a", Statement: "adapts", Adaptation: &claim}},
		Change: func(t *results.Trial) bool {
			noise := 1 + 0.001*float64(t.Block)
			makespan, p99 := 6.0, 60.0
			switch t.Variant {
			case "bounded-20":
				t.Series = sampled(nil, after(100, 200))
			case "bounded-10":
				makespan = 10
				t.Series = sampled(nil, after(100, 100))
			case "ada":
				makespan, p99 = 6.3*noise, 90*noise
				t.Series = sampled(overshooting, after(100, 190))
			}
			t.Makespan = time.Duration(makespan * float64(time.Second))
			t.Stages = map[string]results.Histogram{"item": runtest.Constant(time.Duration(p99*float64(time.Millisecond)), 1000)}
			if change != nil {
				change(t)
			}
			return true
		},
	})
	sc, err := run.Scenario()
	if err != nil {
		t.Fatal(err)
	}
	stepped := *sc
	stepped.Upstream.Phases = []mockupstream.Phase{{After: mockupstream.Duration(stepAt)}}
	if err := run.Header.SetScenario(&stepped); err != nil {
		t.Fatal(err)
	}
	v, err := claims.Judge(run)
	if err != nil {
		t.Fatal(err)
	}
	return v.Claims[0]
}

func TestAdaptation(t *testing.T) {
	share := func(p scenarios.Percent) *scenarios.Percent { return &p }
	only := func(block int, change func(*results.Trial)) func(*results.Trial) {
		return func(t *results.Trial) {
			if t.Variant == "ada" && (block < 0 || t.Block == block) {
				change(t)
			}
		}
	}
	never := func(t *results.Trial) {
		t.Series = sampled(func(at float64) float64 { return 20 + 15*math.Sin(10*at) }, after(100, 190))
	}
	for name, c := range map[string]struct {
		claim  scenarios.AdaptationClaim
		change func(*results.Trial)
		want   verdict.Word
		note   string
	}{
		"settles in time":     {scenarios.AdaptationClaim{ConvergesWithin: scenarios.Duration(2 * time.Second)}, nil, verdict.Proved, "median 1.4 s, slowest 1.4 s (claimed: 2s)"},
		"too late":            {scenarios.AdaptationClaim{ConvergesWithin: scenarios.Duration(time.Second)}, nil, verdict.Refuted, "settled at 20 in the median"},
		"one never settles":   {scenarios.AdaptationClaim{ConvergesWithin: scenarios.Duration(2 * time.Second)}, only(3, never), verdict.Undecided, "did not settle after 1 of 6 steps"},
		"none settles":        {scenarios.AdaptationClaim{ConvergesWithin: scenarios.Duration(2 * time.Second)}, only(-1, never), verdict.Refuted, "did not settle after 6 of 6 steps"},
		"one failed":          {scenarios.AdaptationClaim{ConvergesWithin: scenarios.Duration(2 * time.Second)}, only(3, func(t *results.Trial) { t.Outcome, t.Makespan = results.OutcomeTimeout, 0 }), verdict.Undecided, ""},
		"no series":           {scenarios.AdaptationClaim{ConvergesWithin: scenarios.Duration(2 * time.Second)}, only(3, func(t *results.Trial) { t.Series = nil }), verdict.Undecided, ""},
		"overshoots":          {scenarios.AdaptationClaim{Overshoot: 1.2}, nil, verdict.Refuted, "median 1.5, highest 1.5 times the best fixed limit (claimed: 1.2)"},
		"overshoots by less":  {scenarios.AdaptationClaim{Overshoot: 2}, nil, verdict.Proved, ""},
		"loses 5 %":           {scenarios.AdaptationClaim{ThroughputLost: share(0.1)}, nil, verdict.Proved, ""},
		"loses more than 2 %": {scenarios.AdaptationClaim{ThroughputLost: share(0.02)}, nil, verdict.Refuted, ""},
		"p99 below twice":     {scenarios.AdaptationClaim{P99: 2}, nil, verdict.Proved, ""},
		"p99 above 1.2 times": {scenarios.AdaptationClaim{P99: 1.2}, nil, verdict.Refuted, ""},
		"too few pairs":       {scenarios.AdaptationClaim{P99: 2}, only(0, func(t *results.Trial) { t.Stages = nil }), verdict.Undecided, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := adapted(t, c.claim, c.change)
			if got.Decision != c.want || len(got.Evidence) != 1 {
				t.Errorf("%s, want %s: %+v", got.Decision, c.want, got.Evidence)
			}
			if notes := strings.Join(got.Evidence[0].Notes, "; "); !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
			if r := got.Evidence[0].Reference; r != "" && r != "bounded-20" {
				t.Errorf("compared with %s", r)
			}
		})
	}
}
