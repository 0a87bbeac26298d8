package search_test

import (
	"fmt"
	"time"

	"floodgate/bench/search"
	"floodgate/results/capacity"
	"floodgate/results/verdict"
)

// The search for the rate of a service that can process 30 reports per second starts at 6.
func ExampleRateSearch() {
	s, err := search.NewRateSearch(search.RateBounds{Start: 6, Min: 1, Max: 1000, Window: 5 * time.Second, Confirm: 15 * time.Second})
	if err != nil {
		panic(err)
	}
	for {
		probe, more := s.Next()
		if !more {
			break
		}
		decision := verdict.Passed
		if probe.Rate > 30 {
			decision = verdict.Failed
		}
		fmt.Printf("%g/s for %v: %s\n", probe.Rate, probe.Window, decision)
		s.Add(capacity.Point{Decision: decision})
	}
	fmt.Printf("%s: %g/s\n", s.Result().End, s.Result().Confirmed)
	// Output:
	// 6/s for 5s: passed
	// 12/s for 5s: passed
	// 24/s for 5s: passed
	// 48/s for 5s: failed
	// 33.9/s for 5s: failed
	// 28.5/s for 5s: passed
	// 31.1/s for 5s: failed
	// 28.5/s for 15s: passed
	// confirmed: 28.5/s
}
