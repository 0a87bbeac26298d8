//go:build !linux

package affinity

import (
	"errors"
	"fmt"
	"runtime"
)

func unsupported() error {
	return fmt.Errorf("cores can be chosen on Linux only, not on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Allowed returns an error.
func Allowed() (Cores, error) { return nil, unsupported() }

// Starting calls start if the cores are nil, and returns an error otherwise.
func Starting(c Cores, start func() error) error {
	if c != nil {
		return unsupported()
	}
	return start()
}

// Confine returns an error.
func Confine(int, Cores) error { return unsupported() }
