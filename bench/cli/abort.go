package cli

import (
	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/scenarios"
)

// abortBy judges the thresholds that are to end a run early, if there are any.
func abortBy(s *scenarios.Scenario, dir string) func() (string, error) {
	if !gate.Aborts(s) {
		return nil
	}
	return func() (string, error) {
		run, err := results.Open(dir)
		if err != nil {
			return "", err
		}
		return gate.Abort(run)
	}
}
