package experiment

import (
	"strings"
	"testing"

	"floodgate/results"
)

func TestFalseStart(t *testing.T) {
	crashed := func(reason string, requests int) results.Trial {
		return results.Trial{Outcome: results.OutcomeCrashed, Reason: reason, Upstream: &results.UpstreamStats{Requests: requests}}
	}
	nothing := crashed("no module", 0)
	for name, test := range map[string]struct {
		trials []results.Trial
		last   int // trial at which the run ends; 0: none
	}{
		"always":          {[]results.Trial{nothing, nothing, nothing, nothing}, 3},
		"two":             {[]results.Trial{nothing, nothing}, 0},
		"after work":      {[]results.Trial{crashed("x", 7), crashed("x", 7), crashed("x", 7)}, 0},
		"other reasons":   {[]results.Trial{nothing, crashed("y", 0), nothing, nothing, nothing}, 0},
		"not the first":   {[]results.Trial{{Outcome: results.OutcomeOK}, nothing, nothing, nothing}, 0},
		"unknown by whom": {[]results.Trial{{Outcome: results.OutcomeCrashed}, nothing, nothing, nothing}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var f falseStart
			last := 0
			for i, trial := range test.trials {
				if err := f.observe(trial, 3); err != nil {
					if last = i + 1; !strings.Contains(err.Error(), "first 3 trials all crashed: no module; check sut.command") {
						t.Error(err)
					}
					break
				}
			}
			if last != test.last {
				t.Errorf("the run ended at trial %d, want %d", last, test.last)
			}
		})
	}
	unready := results.Trial{Outcome: results.OutcomeFailed, NotReady: true, Reason: "the SUT was not ready"}
	var first falseStart
	if err := first.observe(unready, 3); err == nil || err.Error() != "the first trial failed: the SUT was not ready" {
		t.Errorf("a command that is not ready in the first trial: %v", err)
	}
	var later falseStart
	for _, trial := range []results.Trial{{Outcome: results.OutcomeOK}, unready} {
		if err := later.observe(trial, 3); err != nil {
			t.Errorf("a command that is not ready in a later trial: %v", err)
		}
	}
}
