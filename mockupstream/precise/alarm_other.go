//go:build !linux

package precise

import (
	"errors"
	"time"
)

// alarm is not available on this system, so Clock uses time.Timer. (On macOS and
// Windows, the runtime's own timers are finer than those of Linux's epoll.)
type alarm struct{}

func newAlarm() (*alarm, error) { return nil, errors.ErrUnsupported }

func (*alarm) set(time.Duration) {}
func (*alarm) wait() bool        { return false }
func (*alarm) close()            {}
