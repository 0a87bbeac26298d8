package child

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// attributes: a process group of its own.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}
