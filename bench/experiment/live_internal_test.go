package experiment

import (
	"testing"
	"time"

	"floodgate/bench/load"
)

// Rates cover the last second, quantiles the last one to two, and each response is
// passed on once.
func TestFeed(t *testing.T) {
	f := newFeed()
	var c load.Counts
	var l Live
	received := 0
	second := func(from, due int, response time.Duration) {
		for tick := range 10 {
			for range due / 10 {
				c.Due++
				c.Ended++
				c.OK++
				f.record(load.Ended{At: response})
			}
			l = f.live(time.Duration(from)*time.Second+time.Duration(tick+1)*100*time.Millisecond, c)
			received += len(l.Responses)
		}
	}
	near := func(d, want time.Duration) bool { return d > want*98/100 && d < want*102/100 }
	second(0, 100, 50*time.Millisecond)
	if l.DueRate != 100 || l.DoneRate != 100 || !near(l.P50, 50*time.Millisecond) || !near(l.P99, 50*time.Millisecond) {
		t.Errorf("first second: %v due, %v done, p50 %v, p99 %v", l.DueRate, l.DoneRate, l.P50, l.P99)
	}
	second(1, 300, 80*time.Millisecond)
	if l.DueRate != 300 || !near(l.P50, 80*time.Millisecond) {
		t.Errorf("second second: %v due, p50 %v", l.DueRate, l.P50)
	}
	second(2, 0, 0)
	if l.DueRate != 0 || l.DoneRate != 0 || !near(l.P50, 80*time.Millisecond) {
		t.Errorf("third second: %v due, p50 %v, want what ended up to two seconds ago", l.DueRate, l.P50)
	}
	second(3, 0, 0)
	if l.P50 != 0 || l.P99 != 0 {
		t.Errorf("fourth second: p50 %v, p99 %v, want none", l.P50, l.P99)
	}
	if received != 400 {
		t.Errorf("%d responses were received, want 400", received)
	}
}

// BenchmarkFeed measures the time under the load's lock for the end of a report and for a tick.
func BenchmarkFeed(b *testing.B) {
	f, at := newFeed(), time.Duration(0)
	b.Run("ended", func(b *testing.B) {
		for b.Loop() {
			f.record(load.Ended{At: 50 * time.Millisecond})
			if len(f.responses) == 1000 {
				f.responses = f.responses[:0]
			}
		}
	})
	b.Run("live", func(b *testing.B) {
		for b.Loop() {
			at += 100 * time.Millisecond
			f.live(at, load.Counts{})
		}
	})
}
