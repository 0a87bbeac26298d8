//go:build !linux

package sut

// inheritNothing does nothing here: inherited descriptors are part of the SUT's baseline.
func inheritNothing() {}
