package noise_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/internal/runtest"
	"floodgate/results/noise"
	"floodgate/results/summary"
	"floodgate/scenarios"
)

func diagnose(t *testing.T, o runtest.Options) noise.Diagnosis {
	t.Helper()
	o.Bare, o.Variants = true, runtest.Variants()[:4]
	o.Levels = []scenarios.LevelSet{{"items": []any{20, 50}}}
	x, err := summary.NewIndex(runtest.New(o))
	if err != nil {
		t.Fatal(err)
	}
	return noise.Diagnose(x)
}

// kinds returns the distinct "severity kind" of the findings.
func kinds(d noise.Diagnosis) string {
	var all []string
	for _, f := range d.Findings {
		if k := f.Severity + " " + f.Kind; len(all) == 0 || all[len(all)-1] != k {
			all = append(all, k)
		}
		if f.Message == "" || f.Advice == "" {
			return "a finding that says nothing"
		}
	}
	return strings.Join(all, ", ")
}

func slower(factor func(t *results.Trial) float64) func(*results.Trial) bool {
	return func(t *results.Trial) bool {
		t.Makespan = time.Duration(float64(t.Makespan) * factor(t))
		return true
	}
}

func TestBlocks(t *testing.T) {
	host := make([]float64, 48) // AR(1) with 0.95, common to all variants
	rng := rand.New(rand.NewPCG(4, 4))
	for i := 1; i < len(host); i++ {
		host[i] = 0.95*host[i-1] + 0.2*rng.NormFloat64()
	}
	for name, test := range map[string]struct {
		blocks int
		change func(*results.Trial) bool
		want   string
	}{
		"ordinary":   {24, nil, ""},
		"six blocks": {6, slower(func(t *results.Trial) float64 { return math.Exp(host[t.Block]) }), ""},
		"the host wanders": {48, slower(func(t *results.Trial) float64 { return math.Exp(host[t.Block]) }),
			"note autocorrelation"},
		"the host gets slower": {8, slower(func(t *results.Trial) float64 { return 1 + 0.2*float64(t.Block) }), "note drift"},
		"one variant gets slower": {24, slower(func(t *results.Trial) float64 {
			if t.Variant == "joined-10" && t.Items == 50 {
				return 1 + 0.05*float64(t.Block)
			}
			return 1
		}), "too-noisy drift, too-noisy autocorrelation"},
	} {
		t.Run(name, func(t *testing.T) {
			d := diagnose(t, runtest.Options{Blocks: test.blocks, Change: test.change})
			if got := kinds(d); got != test.want || d.Blocks != test.blocks || d.Watched != 0 {
				t.Errorf("%s of %d blocks, want %s of %d:\n%+v", got, d.Blocks, test.want, test.blocks, d.Findings)
			}
		})
	}
}

// machine sets the conditions of each trial; nil means that they were not recorded.
func machine(c func(t *results.Trial) *results.Conditions) func(*results.Trial) bool {
	return func(t *results.Trial) bool {
		if t.Machine = c(t); t.Machine != nil {
			t.Machine.Span = time.Second
		}
		return true
	}
}

func TestMachine(t *testing.T) {
	always := func(c results.Conditions) func(*results.Trial) *results.Conditions {
		return func(*results.Trial) *results.Conditions { return &c }
	}
	for name, test := range map[string]struct {
		did  func(*results.Trial) *results.Conditions
		want string
	}{
		"not watched":  {func(*results.Trial) *results.Conditions { return nil }, ""},
		"tells little": {always(results.Conditions{Busy: new(1.0)}), ""},
		"quiet":        {always(results.Conditions{Stolen: new(0.01), Others: new(0.05), Load: new(1.9), Throttled: new(time.Duration(0)), Heat: new(0)}), ""},
		"stolen":       {always(results.Conditions{Stolen: new(0.03)}), "note steal"},
		"much stolen":  {always(results.Conditions{Stolen: new(0.11)}), "too-noisy steal"},
		"one burst": {func(t *results.Trial) *results.Conditions {
			if t.Index == 7 {
				return &results.Conditions{Stolen: new(1.0)}
			}
			return &results.Conditions{Stolen: new(0.0)}
		}, ""},
		"throttled":      {always(results.Conditions{Throttled: new(100 * time.Millisecond)}), "note throttling"},
		"much throttled": {always(results.Conditions{Throttled: new(time.Second)}), "too-noisy throttling"},
		"busy at first": {func(t *results.Trial) *results.Conditions {
			return &results.Conditions{Load: new(4 - float64(t.Block))}
		}, "note load"},
		"busy later":   {func(t *results.Trial) *results.Conditions { return &results.Conditions{Load: new(float64(t.Block))} }, ""},
		"others":       {always(results.Conditions{Others: new(0.3)}), "note load"},
		"too hot once": {func(t *results.Trial) *results.Conditions { return &results.Conditions{Heat: new(max(0, 1-t.Index))} }, "note throttling"},
	} {
		t.Run(name, func(t *testing.T) {
			d := diagnose(t, runtest.Options{Blocks: 6, Change: machine(test.did)})
			watched := 48
			if name == "not watched" {
				watched = 0
			}
			if got := kinds(d); got != test.want || d.Watched != watched {
				t.Errorf("%s, %d watched, want %s:\n%+v", got, d.Watched, test.want, d.Findings)
			}
		})
	}
}

// Losses returns the largest share of a thread's time that may have been lost.
func TestLosses(t *testing.T) {
	var trials []*results.Trial
	for _, stolen := range []float64{0.2, 0.2, 0.2, 0.9} {
		trials = append(trials, &results.Trial{Machine: &results.Conditions{Span: time.Second, Stolen: &stolen}}, &results.Trial{})
	}
	findings, atWorst := noise.Losses("ten", "items=20", trials, 2)
	if len(findings) != 1 || math.Abs(atWorst-0.4) > 1e-12 || findings[0].Variant != "ten" || !strings.Contains(findings[0].Message, "20.0 %") || !strings.Contains(findings[0].Message, "of 4, with 90 %") {
		t.Errorf("%v, %+v", atWorst, findings)
	}
	for name, few := range map[string][]*results.Trial{"one": trials[6:], "none": nil} {
		if findings, atWorst := noise.Losses("ten", "items=20", few, 2); len(findings) > 0 || atWorst != 0 {
			t.Errorf("%s: %v, %+v", name, atWorst, findings)
		}
	}
}

// A later finding about the same pairs replaces the earlier one.
func TestAdd(t *testing.T) {
	var d noise.Diagnosis
	d.Add(noise.Finding{Kind: noise.KindDrift, Message: "run"}, noise.Finding{Kind: noise.KindDrift, Variant: "a", Message: "1"})
	d.Add(noise.Finding{Kind: noise.KindDrift, Variant: "a", Message: "2"}, noise.Finding{Kind: noise.KindDrift, Variant: "b", Message: "3"}, noise.Finding{Kind: noise.KindSteal, Variant: "a", Message: "4"})
	d.Add(noise.Finding{Kind: noise.KindThrottling, Severity: noise.TooNoisy, Message: "5"}, noise.Finding{Kind: noise.KindThrottling, Severity: noise.TooNoisy, Variant: "a", Message: "6"})
	var messages []string
	for _, f := range d.Findings {
		messages = append(messages, f.Message)
	}
	if got := strings.Join(messages, " "); got != "run 2 3 4 5" {
		t.Error(got)
	}
}
