package sut

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent makes the kernel kill this process when the harness dies, even by
// kill -9 and even after this process has become another program. parent is the PID of
// the harness. If it is not our parent, the harness has already died.
func dieWithParent(parent int) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	if os.Getppid() != parent {
		os.Exit(exitOrphan)
	}
	return nil
}
