package search_test

import (
	"fmt"
	"strings"
	"testing"

	"floodgate/bench/search"
	"floodgate/scenarios"
)

// Variants that do not run at the first level are not searched.
func TestVariantsOfTheFirstLevel(t *testing.T) {
	s, err := scenarios.Builtin("exhaustion")
	if err != nil {
		t.Fatal(err)
	}
	variants, err := search.RateVariants(s)
	if err != nil || len(variants) != 4 {
		t.Fatalf("%d variants, %v, want the 4 of leak-256", len(variants), err)
	}
	for _, v := range variants {
		if v.Where != nil {
			t.Errorf("%s runs where %v: the rates of a plan are other levels", v.Name, v.Where)
		}
	}
}

func TestRateLimits(t *testing.T) {
	s, err := scenarios.Builtin("service")
	if err != nil {
		t.Fatal(err)
	}
	variants, err := search.RateLimits(s, []int{64, 4, 16})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{4, 16, 64} {
		if v := variants[i]; v.Limit != n || v.Name != fmt.Sprintf("shared-%d", n) || v.Strategy != "bounded" || v.Scope != "shared" {
			t.Errorf("%+v, want a shared limit of %d", v, n)
		}
	}
	for _, wrong := range [][]int{nil, {0}, {-1, 4}, {4, 8, 4}} {
		if variants, err := search.RateLimits(s, wrong); err == nil || !strings.Contains(err.Error(), "--limits") {
			t.Errorf("%v: %v, %v", wrong, variants, err)
		}
	}
}
