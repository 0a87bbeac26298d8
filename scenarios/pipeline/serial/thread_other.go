//go:build !linux

package serial

import "time"

// threadTime returns the wall clock, so that CPU time of other threads counts as spent.
func threadTime() func() time.Duration { return wallTime() }
