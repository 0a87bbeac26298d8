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
	variants, limits, err := search.RateLimits(s, []int{64, 4, 16}, "limit")
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{4, 16, 64} {
		if v := variants[i]; v.Limit != n || v.Name != fmt.Sprintf("shared-%d", n) || v.Strategy != "bounded" || v.Scope != "shared" || limits[v.Name] != n {
			t.Errorf("%+v, want a shared limit of %d", v, n)
		}
	}
	for _, wrong := range [][]int{nil, {0}, {-1, 4}, {4, 8, 4}} {
		if variants, _, err := search.RateLimits(s, wrong, "limit"); err == nil || !strings.Contains(err.Error(), "--limits") {
			t.Errorf("%v: %v, %v", wrong, variants, err)
		}
	}
}

// TestRateLimitsOfAnHTTPService shows that the limit goes into the variable that is
// named, and that every other name is an error.
func TestRateLimitsOfAnHTTPService(t *testing.T) {
	s, err := scenarios.Parse("own.yaml", []byte(`version: 1
name: own
title: A service
sut: {command: [./reportd, -addr, "{{addr}}", -workers, "{{workers}}"]}
service: {requests: [{path: /}], arrivals: {rate: 10}, duration: 1s}
slo: {p99: 1s}
variants: [{name: few, vars: {workers: 2}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	variants, limits, err := search.RateLimits(s, []int{16, 4}, "workers")
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{4, 16} {
		if v := variants[i]; v.Variables()["workers"] != fmt.Sprint(n) || v.Name != fmt.Sprintf("workers-%d", n) || limits[v.Name] != n {
			t.Errorf("%+v, want %d workers", v, n)
		}
	}
	if s.Variants[0].Variables()["workers"] != "2" {
		t.Error("the scenario's own variant has changed")
	}
	if _, _, err := search.RateLimits(s, []int{4}, "limit"); err == nil || !strings.Contains(err.Error(), `--vary must name a variable of variant "few" (got "limit", want workers)`) {
		t.Errorf("error %v", err)
	}
}
