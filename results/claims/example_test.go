package claims_test

import (
	"fmt"

	"floodgate/results"
	"floodgate/results/claims"
)

// A stored run is judged by the claims of its scenario.
func ExampleJudge() {
	run, err := results.Open("../example/report")
	if err != nil {
		fmt.Println(err)
		return
	}
	outcome, err := claims.Judge(run)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range outcome.Claims {
		fmt.Printf("%s: %s (expected %s)\n", c.ID, c.Decision, c.Expected)
	}
	fmt.Println(outcome.Decision, outcome.Exit)
	// Output:
	// sixty-percent: proved (expected proved)
	// grows-with-requests: proved (expected proved)
	// descriptors: proved (expected proved)
	// nothing-lost: proved (expected proved)
	// passed 0
}
