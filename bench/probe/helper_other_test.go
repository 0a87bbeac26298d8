//go:build !linux

package probe_test

import "errors"

func openEventLoops(int) error { return errors.New("event loops need Linux") }
