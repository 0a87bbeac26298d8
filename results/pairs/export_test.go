package pairs

import (
	"floodgate/results"
	"floodgate/results/stats"
)

// FailedRequests compares the requests that failed, in a single variant at one level.
func FailedRequests(design stats.Design, a, b []results.Trial) Count {
	v := &Outcome{Design: design}
	return v.failedRequests(of(a, a[0].Variant, a[0].LevelName), of(b, b[0].Variant, b[0].LevelName), false)
}
