//go:build unix

package cli

import (
	"os"
	"syscall"
)

// become replaces this process by the program at path. It returns only an error.
func become(path string, args []string) (code int, err error) {
	return 0, syscall.Exec(path, append([]string{path}, args...), os.Environ())
}
