package serial

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime returns a clock of the calling thread's CPU time, or the wall clock if
// the kernel does not report it.
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
