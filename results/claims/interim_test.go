package claims_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/stats"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// repeated returns a run of all 40 blocks that repeats them, whose pairs take a share of
// the reference's time, with noise.
func repeated(seed uint64, share, sd float64, atLeast scenarios.Percent) *results.Run {
	rng := rand.New(rand.NewPCG(seed, 31))
	at := stats.DefaultDesign().At
	run := runtest.New(runtest.Options{
		Blocks: at[len(at)-1], Bare: true, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": 20}},
		Claims: []scenarios.Claim{{ID: "faster", Statement: "It is faster.", Reduction: &scenarios.ReductionClaim{Of: []string{runtest.Variants()[1].Name}, Reference: "sequential", AtLeast: atLeast}}},
		Change: func(t *results.Trial) bool {
			t.Makespan = time.Second
			if t.Variant != "sequential" {
				t.Makespan = time.Duration(share * math.Exp(sd*rng.NormFloat64()) * float64(time.Second))
			}
			return true
		},
	})
	run.Header.Repeat = &results.Repeat{At: at, PerBlock: 2}
	return run
}

// judgedAfter returns what is judged after some blocks.
func judgedAfter(t testing.TB, run *results.Run, blocks int) *claims.Outcome {
	t.Helper()
	v, err := claims.Judge(results.Ended(run.Header, slices.Clone(run.Trials[:2*blocks])))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// logRatios returns those of the pairs of a run.
func logRatios(run *results.Run) (all []float64) {
	for block := range len(run.Trials) / 2 {
		var of, base float64
		for _, trial := range run.Trials[2*block : 2*block+2] {
			if trial.Variant == "sequential" {
				base = float64(trial.Makespan)
			} else {
				of = float64(trial.Makespan)
			}
		}
		all = append(all, math.Log(of/base))
	}
	return all
}

// A claim whose truth lies exactly at its limit can be decided only by chance: with
// repeated analyses that happens in at most 5 % of the runs, and in more of them if each
// analysis took the intervals of a run without others.
func TestRepeatedAnalysesKeepTheError(t *testing.T) {
	const runs = 600
	corrected, peeked := 0, 0
	for seed := range uint64(runs) {
		run := repeated(seed, 0.4, 0.1, 0.6)
		d := logRatios(run)
		decides := func(n int, level float64) bool {
			i, err := stats.SignedRank(d[:n], level)
			if err != nil {
				t.Fatal(err)
			}
			return i.Side(math.Log(0.4)) != 0
		}
		if slices.ContainsFunc(run.Header.Repeat.At, func(n int) bool {
			// Judging takes long, and decides no more than the intervals do.
			narrow := decides(n, run.Header.Repeat.Level(0.95))
			if !narrow && seed%20 > 0 {
				return false
			}
			decided := judgedAfter(t, run, n).Decided()
			if decided && !narrow {
				t.Errorf("seed %d: decided after %d blocks, against its interval", seed, n)
			}
			return decided
		}) {
			corrected++
		}
		if slices.ContainsFunc(run.Header.Repeat.At, func(n int) bool { return decides(n, 0.95) }) {
			peeked++
		}
	}
	// With a true rate of 5 %, more than 48 of 600 have a probability of 1 in 1,000.
	if corrected > 48 {
		t.Errorf("%d of %d runs were decided by chance", corrected, runs)
	}
	if peeked <= 48 {
		t.Errorf("without the correction only %d of %d runs would be: this test would not notice its absence", peeked, runs)
	}
	t.Logf("decided by chance: %d of %d runs, %d without the correction", corrected, runs, peeked)
}

// A clear claim is decided at the first analysis, and the outcome says so; a run that has
// not ended is not judged.
func TestInterim(t *testing.T) {
	run := repeated(1, 0.2, 0.05, 0.6)
	v := judgedAfter(t, run, 8)
	if c := v.Claims[0]; c.Decision != verdict.Proved || v.Exit != verdict.ExitPassed || v.Planned != 16 || v.Confidence != 0.9875 || v.Interim.String() != "8 blocks (interim analysis 1 of 4)" {
		t.Errorf("%+v, %+v, exit %d", c, v.Interim, v.Exit)
	}
	if v.Notes[0] != "decided after 8 blocks (interim analysis 1 of 4)" {
		t.Errorf("%q", v.Notes)
	}
	if v := judgedAfter(t, run, 14); v.Chance.Bound < 2*(1-0.9875)/2-1e-12 {
		t.Errorf("%+v: the chances of both analyses add up", v.Chance)
	}
	v = judgedAfter(t, run, 3)
	if c := v.Claims[0]; c.Decision != verdict.Undecided || v.Exit != verdict.ExitInconclusive || v.Notes[0] != "not decided after 3 blocks (interim analysis 1 of 4, made early as the time was spent)" {
		t.Errorf("%+v, %q", c, v.Notes)
	}
	open := *run
	open.Trials, open.Complete = run.Trials[:24], false
	v, err := claims.Judge(&open)
	if err != nil || v.Interim != nil || v.Claims[0].Decision != verdict.Undecided || len(v.Claims[0].Evidence) > 0 || !strings.HasPrefix(v.Claims[0].Notes[0], "not judged between interim analyses") || v.Exit != verdict.ExitInconclusive {
		t.Errorf("%+v, %v", v.Claims[0], err)
	}
}

// A run ends at the first analysis that decides it, or after the block in which its time
// is spent; one that was killed before it could end ends at once.
func TestRepeater(t *testing.T) {
	for name, test := range map[string]struct {
		run    *results.Run
		time   time.Duration
		trials int
		why    string
	}{
		"clear":      {repeated(1, 0.2, 0.05, 0.6), 0, 16, "decided after 8 blocks (interim analysis 1 of 4)"},
		"on time":    {repeated(1, 0.2, 0.05, 0.6), time.Hour, 16, "decided after 8 blocks (interim analysis 1 of 4)"},
		"near":       {repeated(1, 0.39, 0.05, 0.6), 0, 48, "decided after 24 blocks (interim analysis 3 of 4)"},
		"never":      {repeated(1, 0.4, 0.1, 0.6), 0, 80, ""},
		"time spent": {repeated(1, 0.4, 0.1, 0.6), 21 * time.Second, 22, "--time 21s is spent: not decided after 11 blocks (interim analysis 2 of 4, made early as the time was spent)"},
		"early":      {repeated(1, 0.2, 0.05, 0.6), 5 * time.Second, 6, "--time 5s is spent: not decided after 3 blocks (interim analysis 1 of 4, made early as the time was spent)"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := test.run.Header
				repeat := *h.Repeat
				repeat.Time = test.time
				h.Repeat = &repeat
				r := claims.NewRepeater(h, nil)
				n, why := 0, ""
				for ; n < len(test.run.Trials) && why == ""; n++ {
					time.Sleep(time.Second) // the trial
					var err error
					if why, err = r.Add(test.run.Trials[n]); err != nil {
						t.Fatal(err)
					}
				}
				if n != test.trials || why != test.why || r.Ended() != (test.why != "") {
					t.Errorf("%d trials, %q", n, why)
				}
				killed := claims.NewRepeater(test.run.Header, test.run.Trials[:16])
				why, err := killed.Analyze()
				if clear := test.trials <= 16; err != nil || killed.Ended() != clear || (why != "") != clear {
					t.Errorf("killed after 8 blocks: %q, %v", why, err)
				}
			})
		})
	}
	if r := claims.NewRepeater(results.Header{}, nil); r != nil || r.Ended() {
		t.Error("a run that does not repeat blocks has a repeater")
	}
}
