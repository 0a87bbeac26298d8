package capacity

import (
	"floodgate/results"
	"floodgate/results/whatif"
)

// Simulation is how well the what-if simulation predicts what a plan measured.
type Simulation struct {
	// Why it could not be compared; empty: it was.
	Why string `json:"why,omitempty"`
	// Validated against every limit that was measured, and within which range.
	Validated *whatif.Validation `json:"validated,omitempty"`
	Range     *whatif.Range      `json:"range,omitempty"`
}

// Simulated compares the simulation with the trials of a plan of limits.
func Simulated(run *results.Run) *Simulation {
	points, err := whatif.FromPlan(run)
	if err != nil {
		return &Simulation{Why: err.Error()}
	}
	sweep, err := whatif.NewSweep(points)
	if err != nil {
		return &Simulation{Why: err.Error()}
	}
	validated, err := sweep.Validate()
	if err != nil {
		return &Simulation{Why: err.Error()}
	}
	within := sweep.Range()
	return &Simulation{Validated: &validated, Range: &within}
}
