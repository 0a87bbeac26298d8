package pairs_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"floodgate/results/pairs"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// Where the ratio of every variant is at the limit, a gate calls any of them worse in at
// most alpha/2 of the runs, and any of them not worse in as many, whatever the number of
// variants. With the whole alpha for each, both happen more often.
func TestFamilyOfVariants(t *testing.T) {
	const runs, blocks = 500, 40
	names := []string{"a", "b", "c", "d", "e", "f"}
	v := &pairs.Outcome{Kind: pairs.Revisions, Design: stats.DefaultDesign()}
	if err := pairs.JudgeTrials(v, names, "x", pairs.RevisionTrials{}); err != nil {
		t.Fatal(err)
	}
	design, random := v.Design, rand.New(rand.NewPCG(11, 12))
	if math.Abs(v.FalseAlarm-design.Alpha/2) > 1e-9 || v.Tests != len(names) {
		t.Fatalf("false alarm %v with %d tests", v.FalseAlarm, v.Tests)
	}
	wrong := map[string]int{} // gates with such a decision, corrected and not
	for range runs {
		found := map[string]bool{}
		for range names {
			d := make([]float64, blocks)
			for i := range d {
				d[i] = math.Log1p(design.Margin) + 0.06*random.NormFloat64()
			}
			for how, test := range map[string]stats.Design{"": v.PerTest(), "uncorrected ": design} {
				x, err := test.Judge(d)
				if err != nil {
					t.Fatal(err)
				}
				found[how+string(x.Decision)] = true
			}
		}
		for name := range found {
			wrong[name]++
		}
	}
	for _, word := range []verdict.Word{verdict.Worse, verdict.NotWorse} {
		rate, err := stats.Binomial(wrong[string(word)], runs, 0.99)
		if err != nil {
			t.Fatal(err)
		}
		before, err := stats.Binomial(wrong["uncorrected "+string(word)], runs, 0.99)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.2f %% of %d gates, %.2f %% without correction", word, 100*rate.Estimate, runs, 100*before.Estimate)
		if rate.Low > design.Alpha/2 || rate.Estimate > design.Alpha/2+0.01 {
			t.Errorf("%s in %.4f of the gates, more than %v", word, rate.Estimate, design.Alpha/2)
		}
		if before.Low <= design.Alpha/2 {
			t.Errorf("%s in %.4f of the gates without correction: this simulation detects nothing", word, before.Estimate)
		}
	}
}
