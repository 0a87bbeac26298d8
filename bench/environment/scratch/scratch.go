// Package scratch creates temporary directories that do not outlive their processes:
//
//	removed, err := scratch.Sweep("", "myprogram-") // those of killed processes
//	dir, err := scratch.New("", "myprogram-")
//	…
//	defer dir.Remove()
//
// Each directory contains a lock file that its owner keeps locked. The lock ends with the
// process, however it ends, so that [Sweep] removes only the directories of ended
// processes. [Hold] locks a directory of the user in the same way.
package scratch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// lockName is the file in each directory that its owner keeps locked.
const lockName = ".lock"

// Folder is a temporary directory of this process.
type Folder struct {
	path string
	lock *os.File
}

// New creates a directory in parent whose name starts with prefix. An empty parent means
// the system's directory for temporary files.
func New(parent, prefix string) (*Folder, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	for range 100 { // a sweeper can remove the directory before it is locked
		path, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return nil, fmt.Errorf("make temporary folder: %w", err)
		}
		file, err := acquire(filepath.Join(path, lockName), os.O_CREATE)
		switch {
		case err == nil && inPlace(file):
			return &Folder{path: path, lock: file}, nil
		case err == nil: // removed by a sweeper
			_ = file.Close()
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrLocked):
			return nil, errors.Join(fmt.Errorf("lock temporary folder: %w", err), os.RemoveAll(path))
		}
	}
	return nil, fmt.Errorf("make temporary folder in %q: swept away each time", parent)
}

// Path returns the path of the directory.
func (f *Folder) Path() string { return f.path }

// Remove removes the directory and its content.
func (f *Folder) Remove() error { return remove(f.path, f.lock) }

// Sweep removes the directories in parent whose names start with prefix and whose lock
// files are not locked, and returns their paths. It does not touch directories of other
// users.
func Sweep(parent, prefix string) ([]string, error) {
	var removed []string
	var errs []error
	err := orphans(parent, prefix, func(path string, lock *os.File) {
		if err := remove(path, lock); err != nil {
			errs = append(errs, err)
			return
		}
		removed = append(removed, path)
	})
	if err != nil {
		return nil, fmt.Errorf("sweep temporary folders: %w", err)
	}
	return removed, errors.Join(errs...)
}

// Orphans returns the directories that Sweep would remove. It locks each for a moment, so
// a concurrent Sweep may miss it.
func Orphans(parent, prefix string) ([]string, error) {
	var found []string
	err := orphans(parent, prefix, func(path string, lock *os.File) {
		found = append(found, path)
		_ = lock.Close()
	})
	if err != nil {
		return nil, fmt.Errorf("look for temporary folders: %w", err)
	}
	return found, nil
}

// orphans calls do with each orphaned directory and its lock, which do must close.
func orphans(parent, prefix string, do func(path string, lock *os.File)) error {
	if parent == "" {
		parent = os.TempDir()
	}
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		path := filepath.Join(parent, e.Name())
		lock, err := acquire(filepath.Join(path, lockName), 0)
		if err != nil { // in use, of another program, or inaccessible
			continue
		}
		if !inPlace(lock) { // removed in the meantime
			_ = lock.Close()
			continue
		}
		do(path, lock)
	}
	return nil
}

// acquire opens and locks a file. The error is ErrLocked if another process has locked it.
func acquire(path string, flag int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockOf(filepath.Dir(path), lock(file)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// inPlace reports whether the open file is still the file of its name.
func inPlace(file *os.File) bool {
	open, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(file.Name())
	return err == nil && os.SameFile(open, named)
}

// remove removes a locked directory. It removes the lock file last, so that after a crash
// the rest can still be swept.
func remove(path string, lock *os.File) error {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("remove temporary folder: %w", err), lock.Close())
	}
	errs := []error{}
	for _, e := range entries {
		if e.Name() != lockName {
			errs = append(errs, os.RemoveAll(filepath.Join(path, e.Name())))
		}
	}
	// A process that waits for the lock must notice that the file is gone. Windows cannot
	// remove an open file; there it is removed with the directory.
	_ = os.Remove(lock.Name())
	errs = append(errs, lock.Close(), os.RemoveAll(path))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove temporary folder: %w", err)
	}
	return nil
}
