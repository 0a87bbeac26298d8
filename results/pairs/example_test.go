package pairs_test

import (
	"fmt"

	"floodgate/results/pairs"
	"floodgate/results/stats"
)

// Command B takes about 10 % longer than command A in eight pairs, which the first
// interim analysis decides.
func ExampleJudgeCommands() {
	v := &pairs.Outcome{Kind: pairs.Commands, Design: stats.DefaultDesign()}
	var walls []pairs.Pair // in nanoseconds
	for _, ms := range [][2]float64{{100, 111}, {103, 113}, {98, 109}, {101, 110}, {99, 112}, {107, 118}, {100, 109}, {102, 113}} {
		walls = append(walls, pairs.Pair{A: 1e6 * ms[0], B: 1e6 * ms[1]})
	}
	if err := pairs.JudgeCommands(v, pairs.CommandPairs{Metric: pairs.Wall, Pairs: map[string][]pairs.Pair{pairs.Wall: walls}}); err != nil {
		fmt.Println(err)
		return
	}
	c := v.Cells[0]
	fmt.Printf("%s: %s, ratio %.3f [%.3f, %.3f]\n", c.Name(), c.Decision, c.Ratio.Estimate, c.Ratio.Low, c.Ratio.High)
	fmt.Println(v.Decision, v.Exit)
	// Output:
	// wall: worse, ratio 1.104 [1.089, 1.131]
	// failed 1
}
