package serial

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime reads the CPU time of the calling thread, or the wall clock
// where the kernel does not tell it.
func threadTime() func() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
		return wallTime()
	}
	return func() time.Duration {
		_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) // it worked before
		return time.Duration(ts.Nano())
	}
}
