package capacity_test

import (
	"testing"

	"floodgate/results"
	"floodgate/results/capacity"
)

// The errors of the simulation for the plan in results/example are within the targets.
func TestCompareSimulationOfAnExample(t *testing.T) {
	run, err := results.Open("../example/plan")
	if err != nil {
		t.Fatal(err)
	}
	s := capacity.CompareSimulation(run)
	if s.Why != "" || s.Validated == nil || s.Validated.InSample == nil || !s.Validated.InSample.Within() {
		t.Errorf("%+v", s)
	}
	if s.Range == nil || s.Range.MinLimit != 1 || s.Range.MaxLimit != 256 {
		t.Errorf("range %+v, want limits 1 to 256", s.Range)
	}
}

// A plan that cannot be simulated has the reason.
func TestCompareSimulationExplainsFailure(t *testing.T) {
	run, err := results.Open("../example/report")
	if err != nil {
		t.Fatal(err)
	}
	run.Trials = run.Trials[:1]
	if s := capacity.CompareSimulation(run); s.Why == "" || s.Validated != nil {
		t.Errorf("%+v", s)
	}
}
