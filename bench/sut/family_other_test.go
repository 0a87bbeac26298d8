//go:build !linux

package sut_test

// familyArg makes the test binary a service on Linux.
const familyArg = "sut-test-family"

func serveFamily(string, string) int { return 1 }
