package scratch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrLocked reports that another process has locked a directory.
var ErrLocked = errors.New("locked by another process")

// holdName is the file that Hold locks. It stays in the directory, because another
// process may be about to lock it.
const holdName = "floodgate.lock"

// Hold locks the existing directory dir until release is called or this process ends,
// however it ends. If it is already locked, even by this process, the error wraps
// ErrLocked and names the process if it is known.
func Hold(dir string) (release func() error, err error) {
	path := filepath.Join(dir, holdName)
	file, err := acquire(path, os.O_CREATE)
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("folder %q is in use%s: %w", dir, holder(path), ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("lock folder %q: %w", dir, err)
	}
	// The PID only serves error messages, so ignore errors such as a full disk.
	if file.Truncate(0) == nil {
		_, _ = file.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	return file.Close, nil
}

// holder describes the process that wrote the lock file, as in " by process 123", or
// returns "" if it cannot be read.
func holder(path string) string {
	src, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(src)))
	if err != nil || pid <= 0 {
		return ""
	}
	return fmt.Sprintf(" by process %d", pid)
}
