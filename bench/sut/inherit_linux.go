package sut

import (
	"math"

	"golang.org/x/sys/unix"
)

// inheritNothing keeps descriptors that this process itself inherited, from a
// shell or a CI runner, out of the SUT: its descriptors are to be its own. On a
// kernel without close_range (before 5.11) they stay, as a part of the baseline.
func inheritNothing() { _ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) }
