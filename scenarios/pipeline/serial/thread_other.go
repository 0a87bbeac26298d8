//go:build !linux

package serial

import "time"

// threadTime reads the wall clock: CPU time that others take counts as spent.
func threadTime() func() time.Duration { return wallTime() }
