package group

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// Own puts a command that is not started yet into a process group of its own.
func Own(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// Interrupt ends the process alone: there is nothing like SIGINT for a group.
func Interrupt(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// Kill does nothing: a group cannot be killed.
func Kill(int) {}
