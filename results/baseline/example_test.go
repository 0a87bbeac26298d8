package baseline_test

import (
	"fmt"

	"floodgate/results"
	"floodgate/results/baseline"
	"floodgate/results/internal/runtest"
)

// A later run of the same scenario takes twice as long with a pool of ten.
func ExampleCompare() {
	options := runtest.Options{Variants: runtest.Variants()[:2]}
	b, err := baseline.FromRun(runtest.New(options))
	if err != nil {
		fmt.Println(err)
		return
	}
	options.Change = func(t *results.Trial) bool {
		if t.Variant == "joined-10" {
			t.Makespan *= 2
		}
		return true
	}
	c, err := baseline.Compare("report.yaml", b, runtest.New(options), baseline.Options{Margin: baseline.DefaultMargin, ShareMargin: baseline.DefaultShareMargin})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range c.Rows {
		if r.Metric == baseline.MetricReduction {
			fmt.Printf("%s of %s: %.3f, now %.3f, limit %.3f: %s\n", r.Metric, r.Where(), *r.Baseline, *r.Run, *r.Limit, r.Decision)
		}
	}
	fmt.Println(c.Decision, c.Exit)
	// Output:
	// reduction of joined-10 at items=20: 0.801, now 0.603, limit 0.751: worse
	// reduction of joined-10 at items=50: 0.800, now 0.601, limit 0.750: worse
	// reduction of joined-10 at items=200: 0.799, now 0.599, limit 0.749: worse
	// failed 1
}
