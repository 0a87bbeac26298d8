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
		`{"kind": "rates"}`:                 `"rates" is not a plan of limits (want "limits")`,
		`{"kind": "limits", "points": [{"limit": 2}, {"limit": 2}]}`:                       "points[1]: limit 2 is not above the one before (2)",
		`{"kind": "limits", "points": [{"limit": 2, "throughput": {}}]}`:                   "points[0]: throughput and p99 must be both present",
		`{"kind": "limits", "adaptive": {"runs": []}}`:                                     "adaptive: runs are missing",
		`{"kind": "limits", "points": [{"limit": 2}], "recommendation": {"peak_limit":2}}`: "peak_limit: 2 was not measured",
	} {
		if _, err := capacity.ReadLimits([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
