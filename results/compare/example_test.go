package compare_test

import (
	"fmt"

	"floodgate/results"
	"floodgate/results/compare"
	"floodgate/results/internal/runtest"
)

// Run B takes 20 % longer than run A in every trial.
func ExampleCompare() {
	options := runtest.Options{Blocks: 8, Bare: true, Variants: runtest.Variants()[:2]}
	a := runtest.New(options)
	options.Change = func(t *results.Trial) bool {
		t.Makespan = t.Makespan * 6 / 5
		return true
	}
	b := runtest.New(options)
	c, err := compare.Compare(a, b, compare.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("paired:", c.Paired)
	for _, row := range c.Rows[:2] {
		fmt.Printf("%s at %s: makespan × %.3f [%.3f, %.3f]\n", row.A.Variant, row.A.Level, row.Makespan.Estimate, row.Makespan.Low, row.Makespan.High)
	}
	// Output:
	// paired: true
	// sequential at items=20: makespan × 1.200 [1.200, 1.200]
	// joined-10 at items=20: makespan × 1.200 [1.200, 1.200]
}
