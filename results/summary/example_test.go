package summary_test

import (
	"fmt"

	"floodgate/results"
	"floodgate/results/summary"
)

// The table of a stored run has a row for every variant at every level.
func ExampleIndex_Table() {
	run, err := results.Open("../example/report")
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := summary.NewIndex(run)
	if err != nil {
		fmt.Println(err)
		return
	}
	table, err := x.Table()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("reductions refer to", table.Reference)
	for _, row := range table.Rows[:3] {
		fmt.Printf("%s at %s: %d of %d trials, makespan %v", row.Variant, row.Level, row.OK, row.Planned, *row.Makespan)
		if r := row.Reduction; r != nil {
			fmt.Printf(", reduction %.3f", r.Estimate)
		}
		fmt.Println()
	}
	// Output:
	// reductions refer to sequential
	// sequential at items=20: 6 of 6 trials, makespan 486.60036ms
	// joined-10 at items=20: 6 of 6 trials, makespan 78.546622ms, reduction 0.826
	// joined-300 at items=20: 6 of 6 trials, makespan 63.229365ms, reduction 0.865
}
