package claims_test

import (
	"testing"

	"floodgate/results"
	"floodgate/results/internal/runtest"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// One trial can prove that a limit is exceeded; all trials are needed to prove that it is
// respected.
func TestLimitRespected(t *testing.T) {
	claim := scenarios.Claim{ID: "l", Statement: "ten slots are ten", LimitRespected: &scenarios.LimitRespectedClaim{Of: []string{"ten"}}}
	over := func(t *results.Trial) {
		t.Upstream.PeakInFlight, t.Overrun = 47, &results.Overrun{Limit: 10, PeakInFlight: 47}
	}
	for name, test := range map[string]struct {
		change func(*results.Trial)
		want   verdict.Word
	}{
		"at the limit":       {func(*results.Trial) {}, verdict.Proved},
		"above it once":      {over, verdict.Refuted},
		"above, and crashed": {both(over, ended(results.OutcomeCrashed)), verdict.Refuted},
		"above, but invalid": {both(over, ended(results.OutcomeInvalid)), verdict.Refuted},
		"too fast alone":     {func(t *results.Trial) { t.Overrun = &results.Overrun{Efficiency: 2} }, verdict.Proved},
		"abandoned requests": {func(t *results.Trial) { t.Upstream.PeakInFlight = 12 }, verdict.Undecided},
		"not seen":           {func(t *results.Trial) { t.Upstream = nil }, verdict.Undecided},
		"no request":         {func(t *results.Trial) { t.Upstream = &results.UpstreamStats{} }, verdict.Undecided},
		"crashed":            {ended(results.OutcomeCrashed), verdict.Undecided},
		"could not be run":   {ended(results.OutcomeFailed), verdict.Undecided},
		"invalid":            {ended(results.OutcomeInvalid), verdict.Proved},
	} {
		t.Run(name, func(t *testing.T) {
			change := once(test.change)
			c := want(t, judge(t, runtest.Options{Change: func(t *results.Trial) bool {
				t.Upstream = &results.UpstreamStats{Requests: t.Items, PeakInFlight: 10}
				return change(t)
			}}, claim), test.want)
			if len(c.Evidence) != 3 || *c.Evidence[0].Limit != 10 {
				t.Errorf("evidence %+v, want one of each level with limit 10", c.Evidence)
			}
		})
	}
	t.Run("a trial not run", func(t *testing.T) {
		want(t, judge(t, runtest.Options{Change: func(t *results.Trial) bool {
			t.Upstream = &results.UpstreamStats{Requests: t.Items, PeakInFlight: 10}
			return t.Variant != "ten" || t.Block != 3
		}}, claim), verdict.Undecided)
	})
}
