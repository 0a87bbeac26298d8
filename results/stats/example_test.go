package stats_test

import (
	"fmt"

	"floodgate/results/stats"
)

// The differences that the default design can detect in the noise of a machine, before a
// run.
func ExampleDesign_MinimumDetectable() {
	for _, sd := range []float64{0.02, 0.06} {
		ratio, err := stats.DefaultDesign().MinimumDetectable(stats.NormalNoise(sd), 0.95, 1)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("pairs that vary by %.0f %%: finds %+.1f %%\n", 100*sd, 100*(ratio-1))
	}
	// Output:
	// pairs that vary by 2 %: finds +6.5 %
	// pairs that vary by 6 %: finds +9.5 %
}

// Eight pairs in each of which B took about a tenth longer are decided at the first
// analysis.
func ExampleDesign_Judge() {
	a := []float64{100, 103, 98, 101, 99, 107, 100, 102}
	b := []float64{111, 113, 109, 110, 112, 118, 109, 113}
	d, err := stats.LogRatios(b, a)
	if err != nil {
		fmt.Println(err)
		return
	}
	decision, err := stats.DefaultDesign().Judge(d)
	fmt.Println(decision.Decision, err)
	fmt.Println(decision.Reason)
	// Output:
	// worse <nil>
	// low end 1.089 above 1.05
}
