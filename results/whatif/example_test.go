package whatif_test

import (
	"fmt"
	"time"

	"floodgate/results"
	"floodgate/results/whatif"
)

// From a plan that measured limits from 1 to 256, the simulation predicts a limit of
// 48 for 20,000 items, about four times as many as were measured.
func ExampleSweep_Predict() {
	run, err := results.Open("../example/plan")
	if err != nil {
		fmt.Println(err)
		return
	}
	points, err := whatif.FromPlan(run)
	if err != nil {
		fmt.Println(err)
		return
	}
	sweep, err := whatif.NewSweep(points)
	if err != nil {
		fmt.Println(err)
		return
	}
	spec, err := whatif.Parse("limit=48,items=20000")
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := sweep.Predict(spec)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("makespan", answer.Makespan.Round(time.Second))
	fmt.Println("descriptors", answer.Descriptors)
	for _, outside := range answer.Outside {
		fmt.Println("not measured:", outside)
	}
	// Output:
	// makespan 18s
	// descriptors 105
	// not measured: 20000 items: 60 to 5120 were measured
}
