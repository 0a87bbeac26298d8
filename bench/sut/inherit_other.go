//go:build !linux

package sut

// inheritNothing does nothing here: what the SUT inherits is a part of its baseline.
func inheritNothing() {}
