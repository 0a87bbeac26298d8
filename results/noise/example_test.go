package noise_test

import (
	"fmt"

	"floodgate/results/noise"
)

// The ratio of two variants rises by 3 % with every block: its pairs are not
// independent.
func ExamplePairs_Diagnose() {
	p := noise.Pairs{Variant: "bounded-10", Reference: "sequential", Level: "items=50"}
	for block := range 12 {
		p.LogRatios = append(p.LogRatios, -2+0.03*float64(block))
	}
	for _, f := range p.Diagnose(1) {
		fmt.Println(f.Severity, f.Kind)
		fmt.Println(f.Message)
	}
	// Output:
	// too-noisy drift
	// the ratio of bounded-10 to sequential drifts within the pairs: +39 % from the first block to the last of 12 (Kendall's tau 1.00, p < 0.0001)
	// too-noisy autocorrelation
	// pairs of bounded-10 with sequential resemble the previous pair: autocorrelation 0.75 at lag 1 over 12 blocks (p ≤ 0.005), so they carry less information than independent pairs
}
