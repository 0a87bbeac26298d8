package verdict_test

import (
	"fmt"

	"floodgate/results/verdict"
)

// A proved and an inconclusive claim make the run inconclusive, and a violated
// threshold makes it fail.
func Example() {
	claim := verdict.Claims.All([]verdict.Word{verdict.Proved, verdict.Undecided})
	fmt.Println(claim, claim.Decision().ExitCode())
	run := verdict.Worst(claim.Decision(), verdict.Violated.Decision())
	fmt.Println(run, run.ExitCode())
	// Output:
	// inconclusive 3
	// failed 1
}
