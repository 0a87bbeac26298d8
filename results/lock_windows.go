package results

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// lock takes a lock on one byte far behind the end of f, because a lock on
// Windows keeps others from reading what it covers. It ends when f is closed
// or the process dies.
func lock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return lockError(filepath.Dir(f.Name()), err)
}

// noFile returns 0, as Windows has no such limit.
func noFile() uint64 { return 0 }
