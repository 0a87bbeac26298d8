package group

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// Own configures a command, before its start, to run in a separate process group.
func Own(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// Interrupt ends only the process, because Windows has no signal like SIGINT for a group.
func Interrupt(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// Kill does nothing, because Windows cannot kill a group.
func Kill(int) {}
