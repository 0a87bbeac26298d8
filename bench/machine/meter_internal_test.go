package machine

import (
	"math"
	"testing"
	"time"
)

func TestBusiest(t *testing.T) {
	start := time.Now()
	var seen []coreTimes
	idle := 0.0
	for i := range 21 { // 2 cores for 4 s: busy by a half, but wholly from 1 s to 3 s
		if i > 0 && (i <= 5 || i > 15) {
			idle += 0.2
		}
		seen = append(seen, coreTimes{at: start.Add(time.Duration(i) * 200 * time.Millisecond), total: float64(i) * 0.4, idle: idle})
	}
	for window, want := range map[time.Duration]float64{2 * time.Second: 1, time.Second: 1, 4 * time.Second: 0.75, 5 * time.Second: 0} {
		if got := busiest(seen, window); math.Abs(got-want) > 1e-9 {
			t.Errorf("over %v: %v, want %v", window, got, want)
		}
	}
	if got := busiest(nil, time.Second); got != 0 {
		t.Errorf("never looked: %v", got)
	}
}

// Stop ends the meter's goroutine.
func TestMeter(t *testing.T) {
	if busy := StartMeter().Stop(time.Hour); busy != 0 {
		t.Errorf("%v, of a window that was not over", busy)
	}
}
