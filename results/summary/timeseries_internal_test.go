package summary

import (
	"math"
	"slices"
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

// Descriptors without clients' connections are those of one look, and a sample without a
// look does not count. In an older record they are a difference.
func TestClientsConnectionsDoNotCount(t *testing.T) {
	var looked, older results.Series
	for i := range int64(4) {
		values := map[results.Column]int64{results.ColumnDescriptors: 20 + 10*i, results.ColumnClients: 5 * i, results.ColumnReportsInFlight: i}
		older.Append(time.Duration(i)*time.Second, values)
		values[results.ColumnOwnDescriptors], values[results.ColumnPeakInFlight] = 12*(i%2), 7
		looked.Append(time.Duration(i)*time.Second, values)
	}
	for name, c := range map[string]struct {
		series results.Series
		want   []leak.Sample
	}{
		"one look": {looked, []leak.Sample{{At: time.Second, Descriptors: 12, InFlight: 1, Peak: 7}, {At: 3 * time.Second, Descriptors: 12, InFlight: 3, Peak: 7}}},
		"older": {older, []leak.Sample{{Descriptors: 20}, {At: time.Second, Descriptors: 25, InFlight: 1},
			{At: 2 * time.Second, Descriptors: 30, InFlight: 2}, {At: 3 * time.Second, Descriptors: 35, InFlight: 3}}},
	} {
		if got := NewTimeSeries(c.series, time.Minute).Samples; !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
