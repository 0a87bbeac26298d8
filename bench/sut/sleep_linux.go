package sut

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleep sleeps in the kernel, which wakes it within some 50 µs of the time. Go's idle
// runtime would sleep in epoll, with whole milliseconds. A signal may end it early.
func sleep(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&t, nil)
}
