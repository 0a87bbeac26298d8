package scenarios_test

import (
	"fmt"

	"floodgate/scenarios"
)

// A scenario has a level for each combination of factors; each level has its own
// predictions for every variant.
func Example() {
	s, err := scenarios.Parse("report.yaml", []byte(`
version: 1
name: report
title: Bounded fetches take less time than sequential ones
items: {kind: phone-numbers}
variants:
  - strategy: sequential
  - {strategy: bounded, limit: 10}
levels: [{items: [5, 200]}]
blocks: 6
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	levels, err := s.ExpandLevels()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range levels {
		for _, v := range s.Variants {
			d := scenarios.Predict(v, l.Scenario)
			fmt.Printf("%s %s: %d descriptors, %d of them to the upstream\n", l.Name, v.Name, d.Total, d.Upstream)
		}
	}
	// Output:
	// items=5 sequential: 12 descriptors, 1 of them to the upstream
	// items=5 bounded-10: 20 descriptors, 5 of them to the upstream
	// items=200 sequential: 12 descriptors, 1 of them to the upstream
	// items=200 bounded-10: 30 descriptors, 10 of them to the upstream
}

// Every mistake is reported with its position and the valid values.
func ExampleParse() {
	_, err := scenarios.Parse("mine.yaml", []byte(`version: 1
name: mine
title: Mistakes
items: {kind: phone-numbers}
variants: [{strategy: bouded, limit: 10}]
levels: [{items: 200}]
blocks: 3
`))
	fmt.Println(err)
	// Output:
	// mine.yaml:5:23: variants[0].strategy: must be sequential, joined, unbounded, bounded, staged, batched or adaptive (got "bouded"; did you mean "bounded"?)
	// mine.yaml:7:9: blocks: must be a whole number from 6 to 10000 (got 3)
}
