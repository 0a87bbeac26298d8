package child

import "syscall"

// attributes: a process group of its own, and SIGTERM at the parent's death
// beside the end of the input. Not SIGKILL: the helper has folders to remove.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
