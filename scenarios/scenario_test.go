package scenarios_test

import (
	"fmt"
	"testing"

	"floodgate/scenarios"
)

func TestBuiltinsLoad(t *testing.T) {
	all, err := scenarios.Builtins()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		for _, q := range []*scenarios.Scenario{s, s.Quickened()} {
			levels, err := q.ExpandLevels()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println(s.Name, len(q.Claims))
			for _, l := range levels {
				fmt.Println(l.Name, l.Factors)
				for _, v := range q.Variants {
					fmt.Println("  ", v.Name, scenarios.Predict(v, l.Scenario))
				}
			}
		}
	}
}
