package content_test

import (
	"fmt"

	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/report/content"
)

// The evidence of a claim in the words that all formats share.
func ExampleEvidenceRemarks() {
	outcome, err := claims.Judge(runtest.Messy())
	if err != nil {
		fmt.Println(err)
		return
	}
	claim := outcome.Claims[0]
	fmt.Println(content.Expectation(claim))
	for _, e := range claim.Evidence[:2] {
		fmt.Println(e.Variant, e.Level, content.EvidenceRemarks(e))
	}
	// Output:
	// expected: proved
	// bounded-10 items=20 [missing: sequential invalid × 1]
	// bounded-10 items=50 []
}
