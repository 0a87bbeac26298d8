package sut

import (
	"math"

	"golang.org/x/sys/unix"
)

// inheritNothing keeps the SUT from inheriting descriptors that this process inherited
// from a shell or a CI runner. On a kernel without close_range (before 5.11) the SUT
// inherits them, and they are part of its baseline.
func inheritNothing() { _ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) }
