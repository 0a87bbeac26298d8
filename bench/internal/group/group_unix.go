//go:build unix

package group

import (
	"os/exec"
	"syscall"
)

// Own configures a command, before its start, to run in a separate process group.
func Own(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// Interrupt sends SIGINT to the group of a process, like Ctrl-C.
func Interrupt(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) }

// Kill kills the group of a process, including descendants of a process that has ended.
func Kill(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
