//go:build linux || darwin

package against

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the command into a process group of its own: Ctrl-C in the
// terminal reaches us alone, and cancelling passes it on to all that it started.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
}

// killGroup kills what a command that has ended left behind.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
