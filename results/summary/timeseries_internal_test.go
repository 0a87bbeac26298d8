package summary

import (
	"math"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/leak"
)

// Each completed report leaks two connections of the driver's pool. At every third
// time the descriptors were not observed.
func TestLeakedKindIsReadAtTheTimesOfTheSamples(t *testing.T) {
	var s results.Series
	for i := range int64(90) {
		descriptors := 20 + 2*i
		if i%3 == 1 {
			descriptors = 0
		}
		s.Append(time.Duration(i)*100*time.Millisecond, map[results.Column]int64{
			results.ColumnDescriptors: descriptors, results.ColumnDone: i, results.ColumnMongoIdle: 2 * i,
		})
	}
	kind, by := NewTimeSeries(s, time.Minute).grows(leak.Leak, 1)
	if kind != "connections of the driver's pool" || math.Abs(by-2) > 1e-9 {
		t.Errorf("%s grow by %v per report, want connections of the driver's pool by 2", kind, by)
	}
}
