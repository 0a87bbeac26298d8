package history_test

import (
	"fmt"

	"floodgate/results/history"
)

// The makespans of twelve runs, in milliseconds: the eighth is the first slow one.
func ExampleEDivisive() {
	makespans := []float64{310, 304, 315, 308, 311, 306, 309, 362, 358, 366, 361, 359}
	for _, c := range history.EDivisive(makespans, history.Options{Seed: 1}) {
		fmt.Printf("change at run %d (p %.3f)\n", c.At+1, c.P)
	}
	// Output:
	// change at run 8 (p 0.002)
}
