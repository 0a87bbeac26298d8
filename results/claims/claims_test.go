package claims_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// pair returns the two variants of most tests.
func pair() []scenarios.Variant {
	return []scenarios.Variant{{Name: "one", Strategy: "sequential"}, {Name: "ten", Strategy: "bounded", Limit: 10}}
}

// judge judges a run of the variants of pair with one claim.
func judge(t *testing.T, o runtest.Options, list ...scenarios.Claim) *claims.Outcome {
	t.Helper()
	o.Bare, o.Claims = true, list
	if o.Variants == nil {
		o.Variants = pair()
	}
	v, err := claims.Judge(runtest.New(o))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ratios makes every trial of "ten" take a share of the time of "one", which depends on
// the level and the block.
func ratios(share func(items, block int) float64) func(*results.Trial) bool {
	return func(t *results.Trial) bool {
		t.Makespan = time.Duration(t.Items) * time.Second
		if t.Variant == "ten" {
			t.Makespan = time.Duration(float64(t.Makespan) * share(t.Items, t.Block))
		}
		return true
	}
}

func reduction(atLeast scenarios.Percent) scenarios.Claim {
	return scenarios.Claim{ID: "r", Statement: "faster", Reduction: &scenarios.ReductionClaim{Of: []string{"ten"}, Reference: "one", AtLeast: atLeast}}
}

func growth() scenarios.Claim {
	return scenarios.Claim{ID: "g", Statement: "grows", Growth: &scenarios.GrowthClaim{Of: []string{"ten"}, Reference: "one", With: "items"}}
}

func decisions(c claims.Claim) (all []verdict.Word) {
	for _, e := range c.Evidence {
		all = append(all, e.Decision)
	}
	return all
}

// want checks the decision of the only claim.
func want(t *testing.T, v *claims.Outcome, decision verdict.Word) claims.Claim {
	t.Helper()
	c := v.Claims[0]
	if c.Decision != decision {
		t.Errorf("%s, want %s; evidence %v, notes %q", c.Decision, decision, decisions(c), c.Notes)
	}
	return c
}

func TestReduction(t *testing.T) {
	spread := func(low, high float64) func(int, int) float64 { // even steps over the 8 blocks
		return func(_, block int) float64 { return low + (high-low)*float64(block)/7 }
	}
	for name, test := range map[string]struct {
		share func(items, block int) float64
		want  verdict.Word
	}{
		"well below":       {spread(0.30, 0.31), verdict.Proved},
		"just below":       {spread(0.3995, 0.3999), verdict.Proved},
		"around":           {spread(0.38, 0.42), verdict.Undecided},
		"just above":       {spread(0.4001, 0.4005), verdict.Refuted},
		"well above":       {spread(0.90, 0.91), verdict.Refuted},
		"slower":           {spread(1.20, 1.21), verdict.Refuted},
		"one level above":  {func(items, block int) float64 { return 0.3 + 0.2*float64(items/200) + 0.001*float64(block) }, verdict.Refuted},
		"one level around": {func(items, block int) float64 { return 0.3 + float64(items/200)*(0.08+0.01*float64(block)) }, verdict.Undecided},
	} {
		t.Run(name, func(t *testing.T) {
			c := want(t, judge(t, runtest.Options{Change: ratios(test.share)}, reduction(0.6)), test.want)
			if len(c.Evidence) != 3 {
				t.Errorf("%d pieces of evidence, want one a level", len(c.Evidence))
			}
		})
	}
}

func TestReductionSelectsLevels(t *testing.T) {
	bad := ratios(func(items, block int) float64 { return 0.3 + 0.5*float64(items/200) + 0.001*float64(block) })
	claim := reduction(0.6)
	claim.Reduction.Where = map[string]any{"items": 50}
	c := want(t, judge(t, runtest.Options{Change: bad}, claim), verdict.Proved)
	if len(c.Evidence) != 1 || c.Evidence[0].Level != "items=50" {
		t.Errorf("evidence %+v", c.Evidence)
	}
	claim.Reduction.Where = map[string]any{"items.count": 77}
	if c := want(t, judge(t, runtest.Options{Change: bad}, claim), verdict.Undecided); len(c.Notes) != 1 {
		t.Errorf("notes %q", c.Notes)
	}
}

// Every reason for a missing pair is counted, and too few pairs are inconclusive.
func TestMissingPairs(t *testing.T) {
	good := ratios(func(_, block int) float64 { return 0.2 + 0.001*float64(block) })
	drop := func(below int, change func(*results.Trial) bool) func(*results.Trial) bool {
		return func(t *results.Trial) bool {
			good(t)
			if t.Block < below && t.Variant == "ten" {
				return change(t)
			}
			return true
		}
	}
	outcome := func(o string) func(*results.Trial) bool {
		return func(t *results.Trial) bool { t.Outcome, t.Makespan = o, 0; return true }
	}
	for name, test := range map[string]struct {
		change func(*results.Trial) bool
		why    string
	}{
		"crashed": {outcome(results.OutcomeCrashed), "ten crashed"},
		"invalid": {outcome(results.OutcomeInvalid), "ten invalid"},
		"timeout": {outcome(results.OutcomeTimeout), "ten timeout"},
		"failed":  {outcome(results.OutcomeFailed), "ten failed"},
		"not run": {func(*results.Trial) bool { return false }, "ten not run"},
		"failing items": {func(t *results.Trial) bool {
			t.ItemsDone, t.ItemsFailed = new(t.Items-9), new(9)
			return true
		}, "not the same work: different numbers of items failed in ten and one"},
		"overrun": {func(t *results.Trial) bool {
			t.Overrun = &results.Overrun{Limit: 10, PeakInFlight: 47}
			return true
		}, "ten exceeded its declared limit"},
		"lost documents": {func(t *results.Trial) bool { t.Documents.Lost = 1; return true }, "ten lost documents"},
		"nothing fetched": {func(t *results.Trial) bool {
			t.Upstream = &results.UpstreamStats{}
			return true
		}, "ten did not fetch every item"},
		"no item": {func(t *results.Trial) bool { t.ItemsDone = new(0); return true }, "ten completed no item"},
		"documents missing": {func(t *results.Trial) bool {
			t.ItemsDone, t.ItemsFailed, t.Documents.Found = nil, nil, 1
			return true
		}, "not the same work: ten and one wrote different numbers of documents"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, blocks := range []int{2, 3} {
				decision := verdict.Proved // 6 pairs
				if blocks == 3 {
					decision = verdict.Undecided // 5 pairs
				}
				c := want(t, judge(t, runtest.Options{Change: drop(blocks, test.change)}, reduction(0.6)), decision)
				for _, e := range c.Evidence {
					if e.N != 8-blocks || len(e.Missing) != 1 || e.Missing[0].Why != test.why || e.Missing[0].Blocks != blocks {
						t.Errorf("%d pairs, missing %+v", e.N, e.Missing)
					}
				}
			}
		})
	}
}

// A reference that exceeds its declared limit is not evidence, whatever its ratio to the
// compared variants.
func TestAReferenceThatExceedsItsLimit(t *testing.T) {
	good := ratios(func(_, block int) float64 { return 0.2 + 0.001*float64(block) })
	c := want(t, judge(t, runtest.Options{Change: func(t *results.Trial) bool {
		good(t)
		if t.Variant == "one" {
			t.Overrun = &results.Overrun{Efficiency: 6.579}
		}
		return true
	}}, reduction(0.6)), verdict.Undecided)
	for _, e := range c.Evidence {
		if e.N != 0 || len(e.Missing) != 1 || e.Missing[0].Why != "one exceeded its declared limit" {
			t.Errorf("%d pairs, missing %+v", e.N, e.Missing)
		}
	}
}

// If the same number of items fails on both sides, as with injected faults, the work is
// the same.
func TestSameFailuresStillPair(t *testing.T) {
	good := ratios(func(_, block int) float64 { return 0.2 + 0.001*float64(block) })
	want(t, judge(t, runtest.Options{Change: func(t *results.Trial) bool {
		t.ItemsDone, t.ItemsFailed = new(t.Items-5), new(5)
		return good(t)
	}}, reduction(0.6)), verdict.Proved)
}

func TestGrowth(t *testing.T) {
	for name, test := range map[string]struct {
		share func(items, block int) float64
		want  verdict.Word
		notes int
	}{
		"grows":     {func(items, block int) float64 { return 0.5 - 0.001*float64(items) - 0.0001*float64(block) }, verdict.Proved, 0},
		"saturates": {func(items, block int) float64 { return 0.2 + 0.1*float64(20/items) - 0.0001*float64(block) }, verdict.Proved, 1},
		"shrinks":   {func(items, block int) float64 { return 0.2 + 0.001*float64(items) - 0.0001*float64(block) }, verdict.Refuted, 0},
		"flat":      {func(items, block int) float64 { return 0.2 }, verdict.Refuted, 0},
		"unclear": {func(items, block int) float64 {
			return 0.3 + 0.01*float64(block-4)*float64(items/200)
		}, verdict.Undecided, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := want(t, judge(t, runtest.Options{Change: ratios(test.share)}, growth()), test.want)
			if diff := cmp.Diff([]verdict.Word{test.want, "", ""}, decisions(c)); diff != "" {
				t.Error(diff)
			}
			if got := c.Evidence[0].Notes; len(got) != test.notes {
				t.Errorf("notes %q", got)
			}
			for i, levels := range [][2]string{{"items=20", "items=200"}, {"items=20", "items=50"}, {"items=50", "items=200"}} {
				if e := c.Evidence[i]; e.FromLevel != levels[0] || e.ToLevel != levels[1] || e.N != 8 {
					t.Errorf("evidence %d: %+v", i, e)
				}
			}
		})
	}
}

// With two factors, each value of the other factor has its own sweep, and one sweep
// without growth refutes the claim.
func TestGrowthHoldsOtherFactorsEqual(t *testing.T) {
	levels := []scenarios.LevelSet{{"items": []any{200, 20}, "upstream.latency.median": []any{"100ms", "5ms"}}, {"items": 50, "upstream.latency.median": "1ms"}}
	share := func(grows bool) func(*results.Trial) bool {
		return func(t *results.Trial) bool {
			up := t.Level["upstream.latency.median"] == "5ms" || grows
			return ratios(func(items, block int) float64 {
				if up {
					items = 400 - items
				}
				return 0.1 + 0.001*float64(items) + 0.0001*float64(block)
			})(t)
		}
	}
	c := want(t, judge(t, runtest.Options{Levels: levels, Change: share(true)}, growth()), verdict.Proved)
	if len(c.Evidence) != 2 || c.Evidence[0].Level != "upstream.latency.median=100ms" || c.Evidence[1].Level != "upstream.latency.median=5ms" {
		t.Errorf("evidence %+v", c.Evidence)
	}
	c = want(t, judge(t, runtest.Options{Levels: levels, Change: share(false)}, growth()), verdict.Refuted)
	if diff := cmp.Diff([]verdict.Word{verdict.Refuted, verdict.Proved}, decisions(c)); diff != "" {
		t.Error(diff)
	}
	claim := growth()
	claim.Growth.With = "upstream.latency.median"
	c = want(t, judge(t, runtest.Options{Levels: levels, Change: share(true)}, claim), verdict.Refuted) // the ratio does not depend on it
	if c.Evidence[0].FromLevel != "upstream.latency.median=5ms" {
		t.Errorf("durations are not in order: %+v", c.Evidence[0])
	}
}

func TestGrowthNeedsTwoLevels(t *testing.T) {
	c := want(t, judge(t, runtest.Options{Levels: []scenarios.LevelSet{{"items": 20}}}, growth()), verdict.Undecided)
	if len(c.Notes) != 1 || len(c.Evidence) != 0 {
		t.Errorf("%+v", c)
	}
}

// The verdict does not depend on the order of the trials in the record, or on storing it:
// it is the same byte for byte.
func TestSameRunSameVerdict(t *testing.T) {
	render := func(run *results.Run) string {
		v, err := claims.Judge(run)
		if err != nil {
			t.Fatal(err)
		}
		src, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(src)
	}
	run := runtest.Messy()
	first := render(run)
	s, err := results.Create(t.TempDir(), run.Header)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, trial := range run.Trials {
		if err := s.Append(trial); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := results.Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, render(stored)); diff != "" {
		t.Errorf("stored: %s", diff)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	rng.Shuffle(len(stored.Trials), func(i, j int) { stored.Trials[i], stored.Trials[j] = stored.Trials[j], stored.Trials[i] })
	if diff := cmp.Diff(first, render(stored)); diff != "" {
		t.Errorf("shuffled: %s", diff)
	}
}

// A run without any completed trial is inconclusive.
func TestNoTrialAtAll(t *testing.T) {
	v := judge(t, runtest.Options{Variants: runtest.Variants(), Change: func(*results.Trial) bool { return false }}, runtest.Claims()...)
	for _, c := range v.Claims {
		if c.Decision != verdict.Undecided {
			t.Errorf("%s is %s", c.ID, c.Decision)
		}
	}
	if v.Exit != verdict.ExitInconclusive {
		t.Errorf("exit %d", v.Exit)
	}
}

func TestJudgeRefusesContradictions(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*results.Run)
		want   string
	}{
		"unknown variant":   {func(r *results.Run) { r.Trials[0].Variant = "eleven" }, `variant "eleven"`},
		"unknown level":     {func(r *results.Run) { r.Trials[0].LevelName = "items=21" }, `level "items=21"`},
		"block beyond plan": {func(r *results.Run) { r.Trials[0].Block = 8 }, "has block 8"},
		"twice in a block":  {func(r *results.Run) { r.Trials = append(r.Trials, r.Trials[0]) }, "trials 0 and 0"},
		"no scenario":       {func(r *results.Run) { r.Header.Scenario = json.RawMessage("[]") }, "read the scenario"},
		"broken histogram": {func(r *results.Run) {
			r.Trials[4].Stages = map[string]results.Histogram{"item": {Count: 1, Data: "HISTFAAA"}}
		}, "trial 4, stage item"},
		"unknown expectation": {func(r *results.Run) {
			r.Header.Scenario = json.RawMessage(strings.Replace(string(r.Header.Scenario), `"id":"r"`, `"id":"r","expect":"maybe"`, 1))
		}, `unknown expectation "maybe"`},
	} {
		t.Run(name, func(t *testing.T) {
			run := runtest.New(runtest.Options{Variants: pair(), Bare: true, Claims: []scenarios.Claim{reduction(0.6)}})
			run.Trials = slices.Clone(run.Trials)
			test.change(run)
			if _, err := claims.Judge(run); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
