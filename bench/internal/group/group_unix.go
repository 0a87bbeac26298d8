//go:build unix

package group

import (
	"os/exec"
	"syscall"
)

// Own puts a command that is not started yet into a process group of its own.
func Own(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// Interrupt asks the group that a process leads to end, as Ctrl-C does.
func Interrupt(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) }

// Kill kills the group that a process leads, and what the process left behind if
// it has ended.
func Kill(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
