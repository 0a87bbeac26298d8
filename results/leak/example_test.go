package leak_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"floodgate/results/leak"
)

// A service holds 2 descriptors for each report in flight and leaks 3 with each
// completed one, so its 256 descriptors last for 78 reports.
func ExampleRegress() {
	var samples []leak.Sample
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 60 {
		s := leak.Sample{At: time.Duration(i) * time.Second, InFlight: float64(rng.IntN(5)), Completed: float64(i)}
		s.Descriptors = 20 + 2*s.InFlight + 3*s.Completed
		samples = append(samples, s)
	}
	fit, err := leak.Regress(samples, 0.95, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(fit.Cause())
	fmt.Println(fit.Describe(fit.Cause(), "report", 256))
	at, _ := fit.HitAt(256)
	fmt.Println("exhausted at", at.Round(time.Second))
	// Output:
	// both
	// 3.0 descriptors leaked per completed report: EMFILE at the 78th report at any load, plus 2.0 held by each report while it is in flight
	// exhausted at 1m18s
}
