package scratch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// LockError reports that the file system of a directory does not support file locks, as
// some network and overlay file systems do not.
type LockError struct {
	Dir string
	Err error
}

func (e *LockError) Error() string {
	return fmt.Sprintf("file locks do not work in %s: %v; %s on a local file system", e.Dir, e.Err, anotherFolder(e.Dir))
}
func (e *LockError) Unwrap() error { return e.Err }

// ExecError reports that programs in a directory cannot be executed.
type ExecError struct {
	Dir string
	Err error
}

func (e *ExecError) Error() string {
	return fmt.Sprintf("programs in %s cannot be executed: %v; its file system may be mounted noexec (see \"findmnt -T %s\"): %s on another file system",
		e.Dir, e.Err, e.Dir, anotherFolder(e.Dir))
}
func (e *ExecError) Unwrap() error { return e.Err }

// anotherFolder describes how to use another directory instead of dir.
func anotherFolder(dir string) string {
	relative, err := filepath.Rel(os.TempDir(), dir)
	if err != nil || relative == ".." || strings.HasPrefix(relative, ".."+string(filepath.Separator)) {
		return "choose a folder"
	}
	if runtime.GOOS == "windows" {
		return "set TMP to a folder"
	}
	return "set TMPDIR to a folder"
}

// Lockable returns nil if both kinds of file locks work in the directory, those of this
// package and the record locks of SQLite, and a [LockError] if they do not.
func Lockable(dir string) (err error) {
	file, err := probe(dir, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	if err := lockOf(dir, lock(file)); err != nil {
		return err
	}
	return lockableRecord(dir)
}

// lockableRecord uses a separate file, because some file systems map both kinds of locks
// to one, so that a process would wait for itself.
func lockableRecord(dir string) (err error) {
	file, err := probe(dir, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	return lockOf(dir, lockRecord(file))
}

// lockOf wraps an error of locking in a LockError, except for ErrLocked and nil.
func lockOf(dir string, err error) error {
	if err == nil || errors.Is(err, ErrLocked) {
		return err
	}
	return &LockError{Dir: dir, Err: err}
}

// Executable returns nil if programs in the directory can be executed, and an [ExecError]
// if they cannot. It executes an empty file: the system checks the permission before the
// format.
func Executable(dir string) (err error) {
	if runtime.GOOS == "windows" {
		return nil
	}
	file, err := probe(dir, 0o700)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	if err := file.Close(); err != nil {
		return err
	}
	return executable(dir, exec.Command(file.Name()).Run())
}

// executable judges by the error of executing an empty file.
func executable(dir string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err // the name of the probe would be misleading
	}
	return &ExecError{Dir: dir, Err: err}
}

func probe(dir string, mode fs.FileMode) (*os.File, error) {
	file, err := os.CreateTemp(dir, "floodgate-probe-")
	if err != nil {
		return nil, err
	}
	if err := file.Chmod(mode); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	return file, nil
}
