package experiment

import (
	"testing"
	"time"

	"floodgate/bench/load"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
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

// The reason of a stall says that the process lacked descriptors, if it did.
func TestStallNamesDescriptors(t *testing.T) {
	for name, test := range map[string]struct {
		open, refused int64
		nofile        int // of a service that runs already; zero means sut.nofile, 64
		want          string
	}{
		"enough":         {open: 62},
		"at the limit":   {open: 64, want: ", when the process had run out of descriptors: 64 of 64 were open"},
		"one below it":   {open: 63, want: ", when the process had run out of descriptors: 63 of 64 were open"},
		"refused before": {open: 20, refused: 3, want: "; the process had run out of its 64 descriptors before (emfile)"},
		"another limit":  {open: 64, nofile: 1024},
		"not seen":       {},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scenarios.Scenario{Service: &scenarios.Service{Stall: scenarios.Duration(time.Second)}}
			s.SUT.NoFile = 64
			trial := &serviceTrial{scenario: s, stopLoad: func(error) {}}
			if test.nofile > 0 {
				trial.http = &httpService{nofile: test.nofile}
			}
			for at := range 3 {
				k := sut.Tick{At: time.Duration(at) * time.Second}
				k.ReportsInFlight, k.Done = 5, 1
				trial.note(k, map[results.Column]int64{results.ColumnDescriptors: test.open, results.ColumnRefused: test.refused})
			}
			want := "no report in flight was completed for 1s (service.stall), at 1.0 s" + test.want
			if got := trial.stalled(); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
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
