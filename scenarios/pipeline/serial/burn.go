package serial

import (
	"runtime"
	"time"
)

// Burn spends d of the calling thread's CPU time; where the system does not
// tell that (only Linux does), it spins for d on the clock.
func Burn(d time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now := threadTime()
	for end := now() + d; now() < end; {
		_ = spin(1000)
	}
}

// spin does n rounds of arithmetic, about a nanosecond each.
//
//go:noinline
func spin(n uint32) uint32 {
	x := n | 1
	for range n {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
	}
	return x
}

// wallTime is a clock for systems that do not tell a thread's CPU time.
func wallTime() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}
