package sut

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent has the kernel kill this process, also after it became
// another program, when the harness is gone: a kill -9 of it leaves nothing behind.
// parent is the harness's PID; where it is not our parent any more, it died first.
func dieWithParent(parent int) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	if os.Getppid() != parent {
		os.Exit(exitOrphan)
	}
	return nil
}
