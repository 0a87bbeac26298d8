package precise_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"floodgate/mockupstream/precise"
)

// BenchmarkLateness reports how late sleepers wake: those of a Clock and those
// of time.Sleep, in turn. One operation is one round of n sleepers whose
// wakings are spread evenly over a second, so that the CPU is not the limit.
func BenchmarkLateness(b *testing.B) {
	for _, sleepers := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprintf("sleepers=%d", sleepers), func(b *testing.B) {
			clock := precise.New()
			defer clock.Close()
			var fine, plain []time.Duration
			for b.Loop() {
				fine = append(fine, lateness(sleepers, func(d time.Duration) { _ = clock.Sleep(context.Background(), d) })...)
				plain = append(plain, lateness(sleepers, time.Sleep)...)
			}
			report(b, fine, "clock")
			report(b, plain, "time.Sleep")
		})
	}
}

func lateness(sleepers int, sleep func(time.Duration)) []time.Duration {
	late := make([]time.Duration, sleepers)
	var group sync.WaitGroup
	for i := range late {
		group.Go(func() {
			d := 500*time.Millisecond + time.Duration(i)*time.Second/time.Duration(sleepers)
			start := time.Now()
			sleep(d)
			late[i] = time.Since(start) - d
		})
	}
	group.Wait()
	return late
}

func report(b *testing.B, late []time.Duration, name string) {
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2].Nanoseconds())/1e3, name+"-p50-µs")
	b.ReportMetric(float64(late[len(late)*99/100].Nanoseconds())/1e3, name+"-p99-µs")
}
