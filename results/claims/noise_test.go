package claims_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/noise"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// hasNote reports whether a note of the claim's evidence starts with a text.
func hasNote(c claims.Claim, begin string) bool {
	return slices.ContainsFunc(c.Evidence, func(e claims.Evidence) bool {
		return slices.ContainsFunc(e.Notes, func(n string) bool { return strings.HasPrefix(n, begin) })
	})
}

// following returns ratios that vary slowly around the center, each close to the previous
// one.
func following(n int, center, spread float64) func(items, block int) float64 {
	rng := rand.New(rand.NewPCG(9, 9))
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64() * math.Sqrt(1-0.81)
		if i > 0 {
			x[i] += 0.9 * x[i-1]
		}
	}
	return func(_, block int) float64 { return center * math.Exp(spread*x[block]) }
}

func oneLevel() []scenarios.LevelSet { return []scenarios.LevelSet{{"items": 50}} }

// Dependent pairs decide only what a much wider interval would decide.
func TestDependentPairs(t *testing.T) {
	for name, test := range map[string]struct {
		share func(items, block int) float64
		want  verdict.Word
		note  string
	}{
		"far below the limit": {following(40, 0.1, 0.1), verdict.Proved, "this cannot change the decision"},
		"far above the limit": {following(40, 1.5, 0.1), verdict.Refuted, "this cannot change the decision"},
		"near the limit":      {following(40, 0.36, 0.1), verdict.Undecided, "too noisy to decide: an interval 7 times as wide would not; advice: use more blocks"},
		"a trend":             {func(_, block int) float64 { return 0.3 + 0.004*float64(block) }, verdict.Undecided, "too noisy"},
	} {
		t.Run(name, func(t *testing.T) {
			v := judge(t, runtest.Options{Blocks: 40, Levels: oneLevel(), Change: ratios(test.share)}, reduction(0.6))
			c := want(t, v, test.want)
			if !hasNote(c, test.note) {
				t.Errorf("notes %q", c.Evidence[0].Notes)
			}
			if len(v.Noise.Findings) == 0 || v.Noise.Findings[0].Severity != noise.TooNoisy {
				t.Errorf("findings %+v", v.Noise.Findings)
			}
		})
	}
}

// The same ratios in random order decide.
func TestTheSamePairsInAnotherOrder(t *testing.T) {
	share := following(40, 0.36, 0.1)
	order := rand.New(rand.NewPCG(1, 2)).Perm(40)
	v := judge(t, runtest.Options{Blocks: 40, Levels: oneLevel(), Change: ratios(func(items, block int) float64 { return share(items, order[block]) })}, reduction(0.6))
	if c := want(t, v, verdict.Proved); len(v.Noise.Findings) > 0 || len(c.Evidence[0].Notes) > 0 {
		t.Errorf("%+v, %q", v.Noise.Findings, c.Evidence[0].Notes)
	}
}

// A disturbance of both sides of a pair is noted and does not change the decision.
func TestADriftOfTheHost(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	v := judge(t, runtest.Options{Blocks: 24, Change: func(s *results.Trial) bool {
		ratios(func(int, int) float64 { return 0.38 * math.Exp(0.02*rng.NormFloat64()) })(s)
		s.Makespan += s.Makespan * time.Duration(s.Block) / 4
		return true
	}}, reduction(0.6))
	c := want(t, v, verdict.Proved)
	for _, f := range v.Noise.Findings {
		if f.Severity != noise.Note {
			t.Errorf("%+v", f)
		}
	}
	if len(v.Noise.Findings) == 0 || len(c.Evidence[0].Notes) > 0 {
		t.Errorf("findings %+v, notes %q", v.Noise.Findings, c.Evidence[0].Notes)
	}
}

// A reduction that drifts or is autocorrelated is not one of independent blocks.
func TestDependentGrowth(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for name, test := range map[string]struct {
		gain func(block int) float64
		want verdict.Word
	}{
		"independent": {func(int) float64 { return 0.03 + 0.02*rng.NormFloat64() }, verdict.Proved},
		"drifting":    {func(block int) float64 { return -0.02 + 0.005*float64(block) }, verdict.Undecided},
		"far":         {func(block int) float64 { return 1 + 0.005*float64(block) }, verdict.Proved},
	} {
		t.Run(name, func(t *testing.T) {
			claim := growth()
			v := judge(t, runtest.Options{Blocks: 24, Levels: []scenarios.LevelSet{{"items": []any{20, 200}}}, Change: ratios(func(items, block int) float64 {
				if items == 200 {
					return 0.4 * math.Exp(-test.gain(block))
				}
				return 0.4
			})}, claim)
			want(t, v, test.want)
		})
	}
}

// CPU time lost to other machines may explain a difference, unless it is smaller than the
// distance from the interval to the limit.
func TestLostTime(t *testing.T) {
	for name, test := range map[string]struct {
		variant       string
		stolen, share float64
		want          verdict.Word
		note          string
	}{
		"little":                     {"ten", 0.05, 0.41, verdict.Refuted, ""},
		"refuted by a slowed one":    {"ten", 0.15, 0.41, verdict.Undecided, "too noisy to decide: an interval with an allowance for the lost time would not; advice: use a machine that is not shared"},
		"proved though slowed":       {"ten", 0.15, 0.39, verdict.Proved, "this cannot change"},
		"proved by a slowed base":    {"one", 0.15, 0.39, verdict.Undecided, "too noisy"},
		"refuted though base slowed": {"one", 0.15, 0.41, verdict.Refuted, "this cannot change"},
		"far below":                  {"one", 0.15, 0.10, verdict.Proved, "this cannot change"},
		"all of it":                  {"one", 0.60, 0.10, verdict.Undecided, "too noisy"},
	} {
		t.Run(name, func(t *testing.T) {
			v := judge(t, runtest.Options{Blocks: 6, Levels: oneLevel(), Change: func(s *results.Trial) bool {
				ratios(func(_, block int) float64 { return test.share + 0.0001*float64(block*5%6) })(s)
				s.Machine = &results.Conditions{Span: s.Makespan, Stolen: new(0.0), Throttled: new(time.Duration(0))}
				if s.Variant == test.variant {
					s.Machine.Stolen = &test.stolen
				}
				return true
			}}, reduction(0.6))
			c := want(t, v, test.want)
			if test.note != "" && !hasNote(c, test.note) || test.note == "" && len(c.Evidence[0].Notes) > 0 {
				t.Errorf("notes %q", c.Evidence[0].Notes)
			}
		})
	}
}

// In ordinary noise, at most one claim in a hundred is doubted.
func TestOrdinaryNoiseIsAccepted(t *testing.T) {
	const runs = 15
	doubted := 0
	for seed := range uint64(runs) {
		v := judge(t, runtest.Options{Blocks: 12, Seed: seed + 1}, reduction(0.6), growth())
		for _, c := range v.Claims {
			if hasNote(c, "too noisy") || hasNote(c, "this cannot change") {
				doubted++
			}
		}
	}
	if doubted > 2 { // has a probability below 1 % if each is doubted with 1 %
		t.Errorf("%d of %d claims doubted", doubted, 2*runs)
	}
}
