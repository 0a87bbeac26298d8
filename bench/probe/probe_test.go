package probe_test

import (
	"errors"
	"math"
	"runtime"
	"testing"
	"time"

	"floodgate/bench/probe"
)

// never is an interval without ticks, for tests that sample explicitly.
const never = time.Hour

func needProc(t testing.TB) {
	if runtime.GOOS != "linux" {
		t.Skip("kinds need /proc")
	}
}

func TestOpenedSocketsAreReportedByNumber(t *testing.T) {
	needProc(t)
	for _, n := range []struct{ upstream, mongo, elsewhere int }{{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {7, 3, 2}, {120, 45, 10}} {
		w := watch(t)
		s := start(t, w.target, probe.Options{Interval: never})
		before, err := s.Classify()
		if err != nil {
			t.Fatal(err)
		}
		w.open(upstream, n.upstream)
		w.open(mongo, n.mongo)
		w.open(elsewhere, n.elsewhere)
		after, err := s.Classify()
		if err != nil {
			t.Fatal(err)
		}
		if before.Upstream != 0 || before.Mongo != 0 {
			t.Errorf("before: %+v, want no sockets", *before)
		}
		if after.Upstream != n.upstream || after.Mongo != n.mongo {
			t.Errorf("opened %+v, reported %+v", n, *after)
		}
		if after.Other != before.Other+n.elsewhere {
			t.Errorf("opened %d elsewhere, other went from %d to %d", n.elsewhere, before.Other, after.Other)
		}
		// The first socket brings the runtime's epoll and eventfd with it.
		if most := before.Runtime.Total() + 2; after.Runtime.Total() > most {
			t.Errorf("%d descriptors of the runtime, want %d at most", after.Runtime.Total(), most)
		}
		count, err := s.Count()
		if err != nil || count != after.Upstream+after.Mongo+after.Runtime.Total()+after.Other {
			t.Errorf("count %d, %v; by kind %+v", count, err, *after)
		}
	}
}

func TestPeaksOutliveTheirDescriptors(t *testing.T) {
	for name, options := range map[string]probe.Options{
		"proc":     {Interval: time.Millisecond, ClassifyEvery: time.Millisecond},
		"portable": {Interval: time.Millisecond, ClassifyEvery: time.Millisecond, NoProc: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t)
			s := start(t, w.target, options)
			base, err := s.Count()
			if err != nil {
				t.Fatal(err)
			}
			w.open(upstream, 20)
			// A count that starts now sees the peak.
			awaitSamples(t, w, s)
			w.open(upstream, 0)
			w.open(mongo, 10)
			awaitSamples(t, w, s)
			r := s.Stop()
			if r.Peak < base+20 || r.Peak > base+22 {
				t.Errorf("peak %d, want %d", r.Peak, base+20)
			}
			if r.PeakAt <= 0 || r.Samples < 2 || r.PeakRSS < 1<<20 || r.Threads < 1 || r.Exited {
				t.Errorf("report %+v", r)
			}
			if options.NoProc {
				if r.Kinds != nil || r.Classified != 0 {
					t.Errorf("kinds %v without /proc", r.Kinds)
				}
				return
			}
			needProc(t)
			if r.Kinds == nil || r.Kinds.Upstream != 20 || r.Kinds.Mongo != 10 {
				t.Errorf("kinds %+v, want 20 and 10", r.Kinds)
			}
		})
	}
}

// awaitSamples waits for many intervals of the sampler, so that it has seen the current
// descriptors. The sampler offers no way to wait for a sample.
func awaitSamples(t *testing.T, w *watched, s *probe.Sampler) {
	t.Helper()
	n, err := s.Count()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.WaitFor(n-1, 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
}

func TestStopSamplesOnceMore(t *testing.T) {
	needProc(t)
	w := watch(t)
	s := start(t, w.target, probe.Options{Interval: never})
	w.open(upstream, 9)
	w.open(mongo, 4)
	r := s.Stop()
	if r.Samples != 2 || r.Classified != 2 || r.Kinds.Upstream != 9 || r.Kinds.Mongo != 4 {
		t.Errorf("report %+v, kinds %+v", r, r.Kinds)
	}
	if again := s.Stop(); again.Samples != r.Samples {
		t.Errorf("second Stop sampled again: %+v", again)
	}
}

func TestWaitForReturnsWhenDescriptorsDo(t *testing.T) {
	w := watch(t)
	s := start(t, w.target, probe.Options{})
	w.open(upstream, 1) // the runtime's own descriptors are open
	base, err := s.Count()
	if err != nil {
		t.Fatal(err)
	}
	w.open(upstream, 6)
	if n, err := s.WaitFor(base, 20*time.Millisecond); err != nil || n != base+5 {
		t.Errorf("leak of 5: WaitFor = %d, %v, want %d", n, err, base+5)
	}
	go func() {
		<-time.After(10 * time.Millisecond)
		w.open(upstream, 1)
	}()
	if n, err := s.WaitFor(base, time.Minute); err != nil || n != base {
		t.Errorf("after closing: WaitFor = %d, %v, want %d", n, err, base)
	}
}

// When a Go program first connects after its baseline, its runtime opens epoll and
// eventfd, which do not count as left open and are not waited for.
func TestTheRuntimesLoopIsNotLeftOpen(t *testing.T) {
	needProc(t)
	w := watch(t)
	s := start(t, w.target, probe.Options{Interval: never})
	base, err := s.Baseline()
	if err != nil {
		t.Fatal(err)
	}
	// The test's packages open a file at their start, so that the helper already has
	// an event loop. Use the baseline of a program without one.
	base.Count -= base.Kinds.Runtime.Total()
	base.Kinds.Runtime = probe.Runtime{}
	w.open(upstream, 1)
	w.open(upstream, 0)
	now, err := s.Classify()
	if err != nil || now.Runtime.Total() != 2 {
		t.Fatalf("%+v, %v: want the epoll and the eventfd of Go's runtime", now, err)
	}
	if left, err := s.Leftover(base, 0); err != nil || left.Count != 0 || left.Kinds != nil {
		t.Fatalf("left open %+v, %v, want nothing", left, err)
	}
	// It must return at once; with this interval and timeout it would wait for an hour.
	if left, err := s.Leftover(base, never); err != nil || left.Count != 0 {
		t.Fatalf("left open %+v, %v, want nothing", left, err)
	}
	w.open(upstream, 3)
	if left, err := s.Leftover(base, 0); err != nil || left.Count != 3 || left.Kinds.Upstream != 3 || left.Kinds.Runtime.Total() != 0 {
		t.Errorf("left open %+v, %v, want 3 of the upstream", left, err)
	}
}

// The leak of 2017 was two event loops per report that were never closed.
func TestEventLoopsForEachReportAreLeftOpen(t *testing.T) {
	needProc(t)
	w := watch(t)
	s := start(t, w.target, probe.Options{Interval: never})
	base, err := s.Baseline()
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // reports
		w.open(upstream, 1)
		w.open(eventLoops, 2)
		w.open(upstream, 0)
	}
	left, err := s.Leftover(base, 0)
	if err != nil || left.Count != 5*2*2 || left.Kinds.Runtime.Total() != 5*2*2 {
		t.Errorf("left open %+v (%+v), %v, want 20 of the runtime beyond its own loop", left, left.Kinds, err)
	}
}

func TestProcessThatEnds(t *testing.T) {
	for name, noProc := range map[string]bool{"proc": false, "portable": true} {
		for what, reap := range map[string]bool{"zombie": false, "reaped": true} {
			t.Run(name+"/"+what, func(t *testing.T) {
				w := watch(t)
				w.open(upstream, 5)
				s := start(t, w.target, probe.Options{NoProc: noProc})
				if err := w.cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				if reap {
					_ = w.cmd.Wait()
				}
				if _, err := s.WaitFor(-1, time.Minute); !errors.Is(err, probe.ErrExited) {
					t.Errorf("count of a dead process: %v, want ErrExited", err)
				}
				r := s.Stop()
				if r.Peak < 5+3 || r.Samples < 1 {
					t.Errorf("the earlier samples are lost: %+v", r)
				}
			})
		}
	}
}

func TestNoSuchProcess(t *testing.T) {
	for _, noProc := range []bool{false, true} {
		if _, err := probe.Start(probe.Target{PID: math.MaxInt32}, probe.Options{NoProc: noProc}); !errors.Is(err, probe.ErrExited) {
			t.Errorf("NoProc %v: %v, want ErrExited", noProc, err)
		}
	}
}
