package results

import (
	"testing"
	"time"
)

// A series of any length stays bounded, with evenly spaced samples in all columns.
func TestSeriesIsBounded(t *testing.T) {
	var s Sampling
	const ticks = 5*MaxSamples + 123
	for i := range ticks {
		values := map[Column]int64{ColumnDone: int64(i)}
		if i >= 50 {
			values[ErrorColumn("timeout")] = int64(i)
		}
		s.Add(time.Duration(i)*100*time.Millisecond, values)
	}
	if n := len(s.At); n > MaxSamples || n < MaxSamples/2 {
		t.Fatalf("%d samples of %d ticks, want up to %d", n, ticks, MaxSamples)
	}
	step := s.At[1] - s.At[0]
	for name, column := range s.Columns {
		if len(column) != len(s.At) {
			t.Fatalf("%d values of %s at %d times", len(column), name, len(s.At))
		}
	}
	for i, at := range s.At {
		tick := at / 100
		if i > 0 && at-s.At[i-1] != step || s.Columns[ColumnDone][i] != tick {
			t.Fatalf("sample %d at %d ms, %d ms apart at first: done %d", i, at, step, s.Columns[ColumnDone][i])
		}
		if got := s.Columns[ErrorColumn("timeout")][i]; tick < 50 && got != 0 || tick >= 50 && got != tick {
			t.Fatalf("errors_timeout is %d at tick %d", got, tick)
		}
	}
	if last := s.At[len(s.At)-1] / 100; ticks-last > int64(s.every) {
		t.Errorf("the last sample is of tick %d of %d", last, ticks)
	}
}
