package text_test

import (
	"fmt"
	"time"

	"floodgate/results/text"
)

// Values have three significant digits and a unit.
func Example() {
	fmt.Println(text.Duration(24149 * time.Microsecond))
	fmt.Println(text.Plural(1200, "trial", "trials"))
	fmt.Println(text.Percent(0.7841))
	// Output:
	// 24.1 ms
	// 1,200 trials
	// 78.4 %
}
