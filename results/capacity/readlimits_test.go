package capacity_test

import (
	"strings"
	"testing"

	"floodgate/results/capacity"
)

func TestReadLimitsRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"kind": "limits"`:                 "unexpected EOF",
		`{"kind": "limits", "binding": {}}`: `unknown field "binding" (a plan of another version`,
		`{"kind": "rates"}`:                 `"rates" is no plan of limits; allowed: "limits"`,
		`{"kind": "limits", "points": [{"limit": 2}, {"limit": 2}]}`:                       "points[1]: limit 2 after 2",
		`{"kind": "limits", "points": [{"limit": 2, "throughput": {}}]}`:                   "points[0]: throughput without p99",
		`{"kind": "limits", "adaptive": {"runs": []}}`:                                     "adaptive: it has no runs",
		`{"kind": "limits", "points": [{"limit": 2}], "recommendation": {"peak_limit":2}}`: "peak_limit: 2 was not measured",
	} {
		if _, err := capacity.ReadLimits([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
