package experiment

import (
	"strings"
	"testing"
	"time"

	"floodgate/results"
)

func TestALateGeneratorIsNotBelieved(t *testing.T) {
	for name, test := range map[string]struct {
		p50, p99 time.Duration
		want     string
	}{
		"in time":           {2 * time.Millisecond, 20 * time.Millisecond, ""},
		"late now and then": {time.Millisecond, 21 * time.Millisecond, results.OutcomeInvalid},
		"always late":       {3 * time.Millisecond, 4 * time.Millisecond, results.OutcomeInvalid},
	} {
		outcome, err := lateGenerator(&results.Service{Lag: results.Histogram{P50: test.p50, P99: test.p99}})
		if outcome != test.want || (err != nil) != (test.want != "") {
			t.Errorf("%s: outcome %q, %v, want %q", name, outcome, err, test.want)
		}
		if err != nil && !strings.Contains(err.Error(), "the load generator was too slow") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
