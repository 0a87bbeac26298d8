package capacity_test

import (
	"fmt"

	"floodgate/results/capacity"
)

// Throughput at seven limits: the model peaks at about 93 items at once.
func ExampleFitUSL() {
	fit, err := capacity.FitUSL([]capacity.Observation{
		{N: 1, X: 64.9}, {N: 18, X: 995.9}, {N: 36, X: 1652.4}, {N: 72, X: 1853.2}, {N: 108, X: 1828.9}, {N: 144, X: 1775}, {N: 216, X: 1702.2},
	}, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	model := fit.Model()
	fmt.Printf("peak of %.0f/s at %.0f\n", model.At(model.Peak()), model.Peak())
	fmt.Printf("largest deviation: %+.0f %% at %d\n", 100*fit.Worst, fit.WorstAt)
	// Output:
	// peak of 1961/s at 93
	// largest deviation: +9 % at 36
}
