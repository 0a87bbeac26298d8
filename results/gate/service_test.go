package gate_test

import (
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/internal/runtest"
	"floodgate/scenarios"
)

// judgeService judges one claim about a made run of a service.
func judgeService(t *testing.T, c scenarios.Claim, change func(*results.Trial) bool) gate.Claim {
	t.Helper()
	c.ID, c.Says = "claim", "so it is"
	v, err := gate.Judge(runtest.Service([]scenarios.Claim{c}, change))
	if err != nil {
		t.Fatal(err)
	}
	return v.Claims[0]
}

func TestServiceClaims(t *testing.T) {
	fast := map[string]any{"service.arrivals.rate": 8}
	exhaustion := func(where map[string]any, of ...string) scenarios.Claim {
		return scenarios.Claim{Exhaustion: &scenarios.ExhaustionClaim{Of: of, Where: where}}
	}
	cause := func(is string, of ...string) scenarios.Claim {
		return scenarios.Claim{Cause: &scenarios.CauseClaim{Of: of, Is: is}}
	}
	oneSpared := func(t *results.Trial) bool {
		if t.Variant == "forgotten" && t.Block == 3 {
			for i := range t.Service.Series.Columns["emfile"] {
				t.Service.Series.Columns["emfile"][i] = 0
			}
		}
		return true
	}
	oneMissing := func(t *results.Trial) bool { return t.Block != 5 }
	oneCrashed := func(t *results.Trial) bool {
		if t.Block == 2 {
			t.Outcome, t.Service = results.OutcomeCrashed, nil
		}
		return true
	}
	tests := map[string]struct {
		claim  scenarios.Claim
		change func(*results.Trial) bool
		want   string
	}{
		"all run out":                {exhaustion(fast, "forgotten"), nil, gate.Proved},
		"none runs out":              {exhaustion(fast, "shared-10"), nil, gate.Refuted},
		"one is spared":              {exhaustion(fast, "forgotten"), oneSpared, gate.Inconclusive},
		"one was not run":            {exhaustion(fast, "forgotten"), oneMissing, gate.Inconclusive},
		"none of those that ran":     {exhaustion(fast, "shared-10"), oneMissing, gate.Inconclusive},
		"one crashed":                {exhaustion(fast, "forgotten"), oneCrashed, gate.Inconclusive},
		"a leak":                     {cause("leak", "forgotten"), nil, gate.Proved},
		"no leak":                    {cause("leak", "shared-10"), nil, gate.Refuted},
		"load":                       {cause("load", "shared-10"), nil, gate.Proved},
		"not that it does not grow":  {cause("neither", "shared-10"), nil, gate.Refuted},
		"a cause, and one not run":   {cause("leak", "forgotten"), oneMissing, gate.Inconclusive},
		"a cause, and one crashed":   {cause("load", "shared-10"), oneCrashed, gate.Inconclusive},
		"a leak that was given back": {cause("leak", "forgotten"), func(t *results.Trial) bool { t.Descriptors.Left = new(0); return true }, gate.Refuted},
		"nothing is lost":            {scenarios.Claim{Documents: &scenarios.DocumentsClaim{}}, nil, gate.Proved},
		"something is lost": {scenarios.Claim{Documents: &scenarios.DocumentsClaim{}}, func(t *results.Trial) bool {
			if t.Index == 3 {
				t.Documents.Lost = 1
			}
			return true
		}, gate.Refuted},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := judgeService(t, test.claim, test.change)
			if c.Decision != test.want {
				t.Errorf("%s, want %s: %+v", c.Decision, test.want, c.Evidence)
			}
		})
	}
}

// The verdict names what leaks, how much of it, and when the limit is hit.
func TestServiceSaysWhy(t *testing.T) {
	v, err := gate.Judge(runtest.Service(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"forgotten": "4.0 descriptors leaked a completed report: EMFILE at the 5",
		"shared-10": "2.0 descriptors a report in flight: EMFILE at 118 in flight",
	}
	for _, r := range v.Service {
		if !strings.HasPrefix(r.Says, want[r.Variant]) {
			t.Errorf("%s at %s: %q, want %q", r.Variant, r.Level, r.Says, want[r.Variant])
		}
	}
}
