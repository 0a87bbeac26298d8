package capacity_test

import (
	"testing"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results/capacity"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

func judgeRate(t interface{ Fatal(...any) }, rule string, margin scenarios.Percent, v capacity.Variant) capacity.Threshold {
	all := capacity.JudgeRates([]scenarios.Threshold{{Rule: "pool.response.p99 < 1s"}, {Rule: rule, Margin: margin}}, []capacity.Variant{v})
	if len(all) != 1 {
		t.Fatal(all)
	}
	return all[0]
}

func TestJudgeRates(t *testing.T) {
	between := capacity.Variant{Variant: "pool", Rate: capacity.Rate{Confirmed: 100, Failed: 110}}
	for _, test := range []struct {
		rule   string
		margin scenarios.Percent
		v      capacity.Variant
		want   verdict.Word
	}{
		{"pool.max_rate >= 100/s", 0, between, verdict.Met},
		{"pool.max_rate > 100/s", 0, between, verdict.Undecided},
		{"pool.max_rate >= 105/s", 0, between, verdict.Undecided},
		{"pool.max_rate >= 105/s", 0.05, between, verdict.Met},
		{"pool.max_rate >= 110/s", 0, between, verdict.Violated},
		{"pool.max_rate >= 200/s", 0, between, verdict.Violated},
		{"pool.max_rate < 110/s", 0, between, verdict.Met},
		{"pool.max_rate <= 105/s", 0, between, verdict.Undecided},
		{"pool.max_rate < 90/s", 0, between, verdict.Violated},
		{"pool.max_rate < 90/s", 0.5, between, verdict.Met},
		{"pool.max_rate >= 100/s", 0, capacity.Variant{Variant: "other", Rate: between.Rate}, verdict.Undecided},
		{"pool.max_rate >= 200/s", 0, capacity.Variant{Variant: "pool", Rate: capacity.Rate{Confirmed: 100}}, verdict.Undecided},
		{"pool.max_rate >= 200/s", 0, capacity.Variant{Variant: "pool", Rate: capacity.Rate{Failed: 1}}, verdict.Violated},
		{"pool.max_rate >= 1/s", 0, capacity.Variant{Variant: "pool", Unmeasured: "no database"}, verdict.Undecided},
	} {
		got := judgeRate(t, test.rule, test.margin, test.v)
		if got.Decision != test.want || (got.Why == "") == (got.Decision == verdict.Undecided) {
			t.Errorf("%s of %+v: %s (%s), want %s", test.rule, test.v.Rate, got.Decision, got.Why, test.want)
		}
	}
}

// The decision is correct for every true rate between the two ends.
func TestJudgeRatesIsNeverWrong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(1, 100).Draw(t, "confirmed")
		high := low * rapid.Float64Range(1.01, 2).Draw(t, "ratio")
		truth := low + (high-low)*rapid.Float64Range(0, 0.999).Draw(t, "truth")
		op := rapid.SampledFrom([]string{"<", "<=", ">", ">="}).Draw(t, "op")
		rule := "pool.max_rate " + op + " " + scenarios.UnitRate.Text(float64(rapid.IntRange(1, 200).Draw(t, "limit")))
		got := judgeRate(t, rule, 0, capacity.Variant{Variant: "pool", Rate: capacity.Rate{Confirmed: low, Failed: high}})
		b, err := scenarios.ParseBudget(rule)
		if err != nil {
			t.Fatal(err)
		}
		kept, _ := b.Met(truth, 0)
		if got.Decision == verdict.Met && !kept || got.Decision == verdict.Violated && kept {
			t.Fatalf("%s with [%g, %g): %s, but of %g it is %v", rule, low, high, got.Decision, truth, kept)
		}
	})
}
