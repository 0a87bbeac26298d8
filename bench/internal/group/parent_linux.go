package group

import (
	"os/exec"
	"syscall"
)

// EndWithParent has a command of its own group get SIGTERM when the thread that
// starts it ends. Not SIGKILL: it may have to clean up.
func EndWithParent(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM }
