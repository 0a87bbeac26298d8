package experiment

import (
	"strings"
	"testing"
	"time"

	"floodgate/results"
)

// A generator that lacked ports or descriptors did not offer the load.
func TestTrialOfAGeneratorThatCannotConnectIsInvalid(t *testing.T) {
	for kind, want := range map[string]string{
		"ports": "of 30 requests 2 found no free local port and 0 no free descriptor", "emfile": "0 found no free local port and 2 no free descriptor", "http_5xx": "",
	} {
		outcome, err := checkGenerators(&results.Service{Ended: 30, Errors: map[string]int{kind: 2}}, time.Second)
		if want == "" && (outcome != "" || err != nil) || want != "" && (outcome != results.OutcomeInvalid || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: outcome %q, %v; want %q", kind, outcome, err, want)
		}
	}
}

func TestTrialOfALateGeneratorIsInvalid(t *testing.T) {
	for name, test := range map[string]struct {
		p50         time.Duration
		late, ended int
		want        string
	}{
		"in time":           {2 * time.Millisecond, 0, 30, ""},
		"late once":         {time.Millisecond, 1, 30, ""},
		"late now and then": {time.Millisecond, 2, 199, results.OutcomeInvalid},
		"1 % late":          {time.Millisecond, 3, 300, ""},
		"always late":       {3 * time.Millisecond, 0, 30, results.OutcomeInvalid},
	} {
		outcome, err := checkGenerators(&results.Service{Ended: test.ended, Late: test.late, Lag: results.Histogram{P50: test.p50}}, time.Second)
		if outcome != test.want || (err != nil) != (test.want != "") {
			t.Errorf("%s: outcome %q, %v, want %q", name, outcome, err, test.want)
		}
		if err != nil && !strings.Contains(err.Error(), "the load generator was too slow") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
