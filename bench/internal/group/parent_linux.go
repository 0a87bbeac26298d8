package group

import (
	"os/exec"
	"syscall"
)

// EndWithParent makes the kernel send SIGTERM to a command when the thread that starts it
// ends. It is not SIGKILL, because the command may have to clean up. Call Own first.
func EndWithParent(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM }
