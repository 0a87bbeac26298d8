package ci_test

import (
	"fmt"
	"os"

	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/report/ci"
	"floodgate/scenarios"
)

// A run that violates a threshold, as annotations of GitHub Actions.
func ExampleAnnotations() {
	run := runtest.Budgeted(runtest.Unclaimed(), scenarios.Threshold{Rule: "joined-10.makespan < 10ms"})
	outcome, err := claims.Judge(run)
	if err != nil {
		fmt.Println(err)
		return
	}
	os.Stdout.Write(ci.Annotations(ci.Judged{Run: run, Verdict: outcome}.Judgment()))
	// Output:
	// ::error title=joined-10.makespan < 10ms%3A violated::items=20: 106 ms ≥ 10.0 ms, n=6, violated
	// ::notice title=report%3A A report over phone numbers::failed: 0 of 1 threshold met (exit code 1)%0Ashow this report: floodgate report 20261122-214015.123-7f3a9c
	// ::notice title=note::1 claim or threshold was judged by recorded values, without a test, so the probability of a false failure is unknown
}
