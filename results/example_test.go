package results_test

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"floodgate/results"
)

// A run is interrupted after one of two trials, resumed and finished.
func ExampleCreate() {
	root, err := os.MkdirTemp("", "runs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(root)
	trial := func(index int) results.Trial {
		return results.Trial{Index: index, Variant: "bounded-10", Items: 50, Outcome: results.OutcomeOK, Makespan: 300 * time.Millisecond}
	}
	scenario := json.RawMessage(`{"name": "report"}`)

	store, err := results.Create(root, results.Header{ID: "first", ScenarioName: "report", Scenario: scenario, Planned: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Append(trial(0)), store.Close())

	hash, _ := results.ScenarioHash(scenario)
	store, run, err := results.Resume(root, "first", hash)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(run.Trials), "of", run.Header.Planned, "trials, complete:", run.Complete)
	fmt.Println(store.Append(trial(1)), store.Finish(), store.Close())

	run, err = results.Open(store.Dir())
	fmt.Println(len(run.Trials), "of", run.Header.Planned, "trials, complete:", run.Complete, err)
	// Output:
	// <nil> <nil>
	// 1 of 2 trials, complete: false
	// <nil> <nil> <nil>
	// 2 of 2 trials, complete: true <nil>
}
