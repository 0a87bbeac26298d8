package precise

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm is a timerfd in the runtime's epoll.
type alarm struct {
	file *os.File
	fd   int
	buf  [8]byte
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create timerfd: %w", err)
	}
	// A descriptor that does not block goes into the runtime's epoll.
	return &alarm{file: os.NewFile(uintptr(fd), "timerfd"), fd: fd}, nil
}

// set makes the alarm ring once after d > 0, and not at any time set before.
func (a *alarm) set(d time.Duration) {
	// It fails for a bad descriptor or time only: after close, when no one waits any more.
	_ = unix.TimerfdSettime(a.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil)
}

// wait returns true when the alarm rang, false when it is closed.
func (a *alarm) wait() bool {
	_, err := a.file.Read(a.buf[:])
	return err == nil
}

func (a *alarm) close() { _ = a.file.Close() }
