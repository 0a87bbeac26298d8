package capacity

import (
	"testing"
	"time"

	"floodgate/results"
)

// A service that cannot keep up completes what has queued up after the load, which does
// not count.
func TestSteadyRates(t *testing.T) {
	const tick = 100 * time.Millisecond
	series := func(ticks int, arrived, done func(seconds float64) float64) (s results.Series) {
		for i := range ticks {
			at := time.Duration(i) * tick
			s.Append(at, map[results.Column]int64{results.ColumnArrived: int64(arrived(at.Seconds())), results.ColumnDone: int64(done(at.Seconds()))})
		}
		return s
	}
	for name, test := range map[string]struct {
		series  results.Series
		arrived float64
		done    float64
	}{
		"keeps up, a second late": {series(60, func(s float64) float64 { return 100 * min(s, 5) }, func(s float64) float64 { return 100 * max(0, min(s-1, 5)) }), 100, 100},
		"queues":                  {series(200, func(s float64) float64 { return 100 * min(s, 5) }, func(s float64) float64 { return min(500, 40*s) }), 100, 40},
		"completes nothing":       {series(60, func(s float64) float64 { return 100 * min(s, 5) }, func(float64) float64 { return 0 }), 100, 0},
	} {
		got, known := steadyOf(test.series)
		if !known || got.arrived != test.arrived || got.done != test.done {
			t.Errorf("%s: %+v, %v, want %v and %v a second", name, got, known, test.arrived, test.done)
		}
	}
	for name, s := range map[string]results.Series{
		"empty": {}, "one sample": series(1, func(float64) float64 { return 1 }, func(float64) float64 { return 1 }),
		"at once": series(9, func(float64) float64 { return 5 }, func(float64) float64 { return 5 }), "nothing": series(9, func(float64) float64 { return 0 }, func(float64) float64 { return 0 }),
	} {
		if got, known := steadyOf(s); known {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
