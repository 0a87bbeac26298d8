package experiment

import (
	"errors"
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
			trial := &serviceTrial{scenario: s, stopLoad: func(error) {}, hosts: make([]*serviceHost, 1)}
			host := trial.addHost(&measurement{})
			if test.nofile > 0 {
				host.http = &httpService{nofile: test.nofile}
			}
			for at := range 3 {
				k := sut.Tick{At: time.Duration(at) * time.Second}
				k.ReportsInFlight, k.Done = 5, 1
				host.note(k, map[results.Column]int64{results.ColumnDescriptors: test.open, results.ColumnRefused: test.refused})
			}
			want := "no report in flight was completed for 1s (service.stall), at 1.0 s" + test.want
			if stalled, got := trial.stalled(); stalled != host || got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// One host of three that stalls ends the load, however many requests the others complete.
func TestStallOfOneHost(t *testing.T) {
	s := &scenarios.Scenario{Service: &scenarios.Service{Stall: scenarios.Duration(time.Second)}}
	var ended error
	trial := &serviceTrial{scenario: s, stopLoad: func(err error) { ended = err }, hosts: make([]*serviceHost, 3)}
	for i := range trial.hosts {
		trial.addHost(&measurement{part: part{host: i, hosts: 3}})
	}
	for at := range 4 {
		for i, h := range trial.hosts {
			k := sut.Tick{At: time.Duration(at) * 500 * time.Millisecond}
			if k.ReportsInFlight, k.Done = 5, 1; i != 1 {
				k.Done = at
			}
			h.note(k, map[results.Column]int64{results.ColumnDescriptors: 10})
		}
	}
	host, why := trial.stalled()
	if want := "no report in flight was completed for 1s (service.stall), at 1.0 s"; host != trial.hosts[1] || why != want || !errors.Is(ended, errStalled) {
		t.Errorf("%q, %v; want %q", why, ended, want)
	}
}

// What terminals show of several hosts is the sum of their work, and the usage of the one with
// most descriptors.
func TestHostsTogether(t *testing.T) {
	trial := &serviceTrial{hosts: make([]*serviceHost, 2)}
	for i := range trial.hosts {
		h := trial.addHost(&measurement{part: part{host: i, hosts: 2}})
		h.last.At, h.last.ReportsInFlight, h.last.Done, h.last.MongoOpen = time.Duration(i+1)*time.Second, 3+i, 10*(i+1), 1
		h.last.Errors, h.last.Exhausted = map[string]int{"timeout": i + 1}, map[string]int{"mongo": 2}
		h.seen.Descriptors, h.seen.NoFile = 20+i, 64
	}
	k, seen := trial.together()
	if k.At != time.Second || k.ReportsInFlight != 7 || k.Done != 30 || k.MongoOpen != 2 || k.Errors["timeout"] != 3 || k.Exhausted["mongo"] != 4 || seen.Descriptors != 21 || seen.NoFile != 64 {
		t.Errorf("%+v, %+v", k, seen)
	}
	if first := trial.hosts[0].last; first.Errors["timeout"] != 1 || first.Exhausted["mongo"] != 2 {
		t.Errorf("the first host has become %+v", first)
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
