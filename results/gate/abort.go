package gate

import (
	"fmt"

	"floodgate/results"
	"floodgate/results/summary"
	"floodgate/scenarios"
)

// Abort is the rule of the first threshold that is to end the run and that no
// trial to come can keep any more; empty: there is none, go on.
func Abort(run *results.Run) (rule string, err error) {
	x, err := summary.NewIndex(run)
	if err != nil {
		return "", fmt.Errorf("judge run %q: %w", run.Header.ID, err)
	}
	return abort(x)
}

func abort(x *summary.Index) (rule string, err error) {
	for _, t := range x.Scenario.Thresholds {
		if !t.Abort {
			continue
		}
		judged, err := judgeThreshold(x, t)
		if err != nil {
			return "", fmt.Errorf("threshold %q: %w", t.Rule, err)
		}
		if judged.Decision == Broken {
			return t.Rule, nil
		}
	}
	return "", nil
}

// Aborts says whether any threshold of a scenario is to end its run early.
func Aborts(s *scenarios.Scenario) bool {
	for _, t := range s.Thresholds {
		if t.Abort {
			return true
		}
	}
	return false
}
