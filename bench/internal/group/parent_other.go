//go:build !linux

package group

import "os/exec"

// EndWithParent does nothing here; the command detects the end of its input instead.
func EndWithParent(*exec.Cmd) {}
