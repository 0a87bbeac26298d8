package claims_test

import (
	"testing"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// TestOneHostAboveItsPredictionRefutes compares every host with its own prediction, not
// only the one with the highest peak.
func TestOneHostAboveItsPredictionRefutes(t *testing.T) {
	for name, excess := range map[string]int{"within": 0, "above": 1} {
		run := runtest.New(runtest.Options{
			Blocks: 6, Variants: []scenarios.Variant{{Name: "divided", Strategy: "bounded", Limit: 8, LimitScope: "fleet"}},
			Levels: []scenarios.LevelSet{{"items": 50, "sut.hosts": 2}},
			Claims: []scenarios.Claim{{ID: "descriptors", Statement: "Every host stays within its prediction.", Descriptors: &scenarios.DescriptorsClaim{Within: []string{"divided"}}}},
			Change: func(t *results.Trial) bool {
				d := t.Descriptors
				d.Inside, d.Peak, d.Predicted = nil, 12, 12
				low := d
				low.Peak, low.Predicted = 10+excess, 10
				t.Descriptors, t.Hosts = d, []results.Host{{Index: 0, Descriptors: d}, {Index: 1, Descriptors: low}}
				return true
			},
		})
		v, err := claims.Judge(run)
		if err != nil {
			t.Fatal(err)
		}
		want := verdict.Proved
		if excess > 0 {
			want = verdict.Refuted
		}
		if got := v.Claims[0].Decision; got != want {
			t.Errorf("%s: %v, want %v: %+v", name, got, want, v.Claims[0].Evidence)
		}
	}
}
