package report_test

import (
	"fmt"
	"os"

	"floodgate/results"
	"floodgate/results/report"
	"floodgate/results/text"
)

// A table of the stored runs for the terminal.
func ExampleRuns() {
	runs, err := results.List("../example")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := report.Runs(os.Stdout, runs[:2], text.Options{Width: 100}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// run         started              scenario            environment  trials
	// plan        2026-11-28 15:19:15  report              embedded        105  plan
	// exhaustion  2026-11-28 06:10:41  exhaustion-example  embedded      12/12  complete
}
