package scratch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrLocked is what Hold says of a folder that another process holds.
var ErrLocked = errors.New("locked by another process")

// holdName is the file that Hold locks. It stays, unlocked, in the folder: to
// remove it would take it away from under whoever waits to lock it.
const holdName = "floodgate.lock"

// Hold locks the folder dir, which must exist, until release is called or this
// process ends, however it ends. A folder that another holder has, in this
// process too, is ErrLocked; the error names the process where it is known.
func Hold(dir string) (release func() error, err error) {
	path := filepath.Join(dir, holdName)
	file, err := acquire(path, os.O_CREATE)
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("folder %q is in use%s: %w", dir, holder(path), ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("lock folder %q: %w", dir, err)
	}
	// Who holds it is for the words of an error alone: a full disk is none here.
	if file.Truncate(0) == nil {
		_, _ = file.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	return file.Close, nil
}

// holder says which process wrote the lock file: " by process 123"; "" where
// that cannot be read.
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
