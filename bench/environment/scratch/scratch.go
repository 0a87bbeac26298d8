// Package scratch makes temporary folders that do not outlive their processes.
//
// A folder holds a lock file that its owner keeps locked. The lock ends with
// the process however it ends, so that [Sweep] can tell the folders of killed
// processes from those in use, and removes only the former. [Hold] locks a
// folder of the user's in the same way.
package scratch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// lockName is the file in each folder that its owner keeps locked.
const lockName = ".lock"

// Folder is a temporary folder of this process.
type Folder struct {
	path string
	lock *os.File
}

// New makes a folder in parent whose name starts with prefix. An empty parent
// is the system's folder for temporary files.
func New(parent, prefix string) (*Folder, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	for range 100 { // sweepers can come between making and locking
		path, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return nil, fmt.Errorf("make temporary folder: %w", err)
		}
		file, err := acquire(filepath.Join(path, lockName), os.O_CREATE)
		switch {
		case err == nil && inPlace(file):
			return &Folder{path: path, lock: file}, nil
		case err == nil: // swept
			_ = file.Close()
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrLocked):
			return nil, errors.Join(fmt.Errorf("lock temporary folder: %w", err), os.RemoveAll(path))
		}
	}
	return nil, fmt.Errorf("make temporary folder in %q: swept away each time", parent)
}

// Path of the folder.
func (f *Folder) Path() string { return f.path }

// Remove removes the folder and all in it.
func (f *Folder) Remove() error { return remove(f.path, f.lock) }

// Sweep removes the folders in parent whose names start with prefix, hold a
// lock file and are locked by no process. It returns those removed. What
// belongs to another user, or is no such folder, is left alone.
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

// Orphans returns the folders that Sweep would remove. Each is locked for a moment:
// who sweeps at the same time may miss it.
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

// orphans calls do with each orphaned folder and its lock, which do must close.
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
		if err != nil { // in use, not of this program, or not accessible
			continue
		}
		if !inPlace(lock) { // removed meanwhile
			_ = lock.Close()
			continue
		}
		do(path, lock)
	}
	return nil
}

// acquire opens and locks a file, ErrLocked when another process has it.
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

// inPlace reports whether the open file is still the one of that name.
func inPlace(file *os.File) bool {
	open, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(file.Name())
	return err == nil && os.SameFile(open, named)
}

// remove removes a folder whose lock is held: the lock file last, so that what
// a crash leaves over can still be swept.
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
	// Whoever waits for the lock must find that the file is gone once he has it.
	// Windows removes no open file: there it goes with the folder.
	_ = os.Remove(lock.Name())
	errs = append(errs, lock.Close(), os.RemoveAll(path))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove temporary folder: %w", err)
	}
	return nil
}
