//go:build !linux

package precise

import (
	"errors"
	"time"
)

// alarm is not to be had here: time.Timer is used. (On darwin and Windows the
// runtime's own timers have finer waits than Linux's epoll gives them.)
type alarm struct{}

func newAlarm() (*alarm, error) { return nil, errors.ErrUnsupported }

func (*alarm) set(time.Duration) {}
func (*alarm) wait() bool        { return false }
func (*alarm) close()            {}
