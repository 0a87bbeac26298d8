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
	// The runtime adds a non-blocking descriptor to its epoll.
	return &alarm{file: os.NewFile(uintptr(fd), "timerfd"), fd: fd}, nil
}

// set makes the alarm ring once after d > 0 and replaces an earlier setting.
func (a *alarm) set(d time.Duration) {
	// The call fails only after close, when there are no more waiters.
	_ = unix.TimerfdSettime(a.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil)
}

// wait waits for the alarm and returns true, or false if the alarm is closed.
func (a *alarm) wait() bool {
	_, err := a.file.Read(a.buf[:])
	return err == nil
}

func (a *alarm) close() { _ = a.file.Close() }
