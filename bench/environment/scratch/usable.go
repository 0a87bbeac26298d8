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

// LockError reports that the file system of a folder refuses file locks, as some
// network and overlay file systems do.
type LockError struct {
	Dir string
	Err error
}

func (e *LockError) Error() string {
	return fmt.Sprintf("file locks do not work in %s: %v; %s on a local file system", e.Dir, e.Err, anotherFolder(e.Dir))
}
func (e *LockError) Unwrap() error { return e.Err }

// ExecError reports that programs in a folder cannot be executed.
type ExecError struct {
	Dir string
	Err error
}

func (e *ExecError) Error() string {
	return fmt.Sprintf("programs in %s cannot be executed: %v; its file system may be mounted noexec (see \"findmnt -T %s\"): %s on another file system",
		e.Dir, e.Err, e.Dir, anotherFolder(e.Dir))
}
func (e *ExecError) Unwrap() error { return e.Err }

// anotherFolder describes how to have another one in the place of dir.
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

// Lockable reports whether both kinds of file locks work in the folder: those of
// our own lock files, and the record locks of SQLite. The error is a [LockError]
// where they do not.
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

// lockableRecord has a file of its own: some file systems map both kinds to one,
// and a process would then wait for itself.
func lockableRecord(dir string) (err error) {
	file, err := probe(dir, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	return lockOf(dir, lockRecord(file))
}

// lockOf names the folder where the system refused a lock; that another process
// has it stays [ErrLocked], and nil stays nil.
func lockOf(dir string, err error) error {
	if err == nil || errors.Is(err, ErrLocked) {
		return err
	}
	return &LockError{Dir: dir, Err: err}
}

// Executable reports whether programs in the folder can be executed; the error
// is an [ExecError] where they cannot. An empty file is enough to tell: the
// system refuses the permission before it looks at the format.
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
		err = path.Err // the name of the probe would mislead
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
