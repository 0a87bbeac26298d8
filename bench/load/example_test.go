package load_test

import (
	"fmt"
	"time"

	"floodgate/bench/load"
)

// Requests are due at a rate of 2 per second for one second, and of 4 afterwards,
// whatever happens to earlier ones.
func ExampleArrivals_Times() {
	a := load.Arrivals{
		Rate: load.Steps{{Rate: 2, For: time.Second}, {Rate: 4}},
		For:  2 * time.Second,
	}
	fmt.Println(a.Times())
	// Output: [0s 500ms 1s 1.25s 1.5s 1.75s]
}
