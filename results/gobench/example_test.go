package gobench_test

import (
	"fmt"
	"strings"

	"floodgate/results/gobench"
)

// Six results of each revision: parsing became slower, and its allocations did not
// change.
func ExampleJudge() {
	file := func(name string, times ...int) gobench.Input {
		var text strings.Builder
		for _, ns := range times {
			fmt.Fprintf(&text, "BenchmarkParse-8 1000 %d ns/op 48 B/op\n", ns)
		}
		return gobench.Input{Name: name, Reader: strings.NewReader(text.String())}
	}
	outcome, err := gobench.Judge(
		file("old.txt", 2405, 2398, 2411, 2402, 2400, 2407),
		file("new.txt", 2655, 2648, 2661, 2652, 2650, 2657),
		gobench.Options{Alpha: 0.05, Margin: new(0.05)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, unit := range outcome.Units {
		for _, row := range unit.Rows {
			fmt.Printf("%s %s: %+.1f %%, p %.3f: %s\n", row.Benchmark, unit.Unit, 100**row.Delta, *row.Adjusted, row.Decision)
		}
	}
	fmt.Println(outcome.Decision, outcome.Exit)
	// Output:
	// Parse-8 sec/op: +10.4 %, p 0.004: worse
	// Parse-8 B/op: +0.0 %, p 1.000: same
	// failed 1
}
