//go:build unix

package probe_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"floodgate/bench/probe"
)

// BenchmarkCount measures one count.
func BenchmarkCount(b *testing.B) {
	for _, fds := range []int{300, 1000} {
		for name, noProc := range map[string]bool{"proc": false, "portable": true} {
			b.Run(fmt.Sprintf("fds=%d/source=%s", fds, name), func(b *testing.B) {
				s := busy(b, fds, probe.Options{Interval: never, NoProc: noProc})
				for b.Loop() {
					if _, err := s.Count(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkClassify measures one classification.
func BenchmarkClassify(b *testing.B) {
	for _, fds := range []int{300, 1000} {
		b.Run(fmt.Sprintf("fds=%d", fds), func(b *testing.B) {
			needProc(b)
			s := busy(b, fds, probe.Options{Interval: never})
			for b.Loop() {
				if _, err := s.Classify(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSampler measures the share of a core that sampling at 5 ms takes. One
// operation is half a second.
func BenchmarkSampler(b *testing.B) {
	for _, fds := range []int{10, 300, 1000} {
		b.Run(fmt.Sprintf("fds=%d", fds), func(b *testing.B) {
			busy(b, fds, probe.Options{})
			var used, wall time.Duration
			for b.Loop() {
				cpu, start := cpuTime(b), time.Now()
				<-time.After(500 * time.Millisecond)
				used += cpuTime(b) - cpu
				wall += time.Since(start)
			}
			b.ReportMetric(100*float64(used)/float64(wall), "cpu-%")
		})
	}
}

// busy watches a process with the given number of connections.
func busy(b *testing.B, fds int, o probe.Options) *probe.Sampler {
	b.Helper()
	w := watch(b)
	w.open(upstream, fds/2)
	w.open(mongo, fds-fds/2)
	return start(b, w.target, o)
}

func cpuTime(b testing.TB) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
