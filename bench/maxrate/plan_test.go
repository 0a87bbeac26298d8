package maxrate_test

import (
	"testing"

	"floodgate/bench/maxrate"
	"floodgate/scenarios"
)

// Variants that do not run at the first level are not planned.
func TestVariantsOfTheFirstLevel(t *testing.T) {
	s, err := scenarios.Builtin("exhaustion")
	if err != nil {
		t.Fatal(err)
	}
	variants, err := maxrate.Variants(s)
	if err != nil || len(variants) != 4 {
		t.Fatalf("%d variants, %v, want the 4 of leak-256", len(variants), err)
	}
	for _, v := range variants {
		if v.Where != nil {
			t.Errorf("%s runs where %v: the rates of a plan are other levels", v.Name, v.Where)
		}
	}
}
