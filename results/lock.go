package results

import "fmt"

// LockError reports that the file system of a folder refuses file locks, as some
// network and overlay file systems do.
type LockError struct {
	Dir string
	Err error
}

func (e *LockError) Error() string {
	return fmt.Sprintf("file locks do not work in %s: %v; store runs in a folder on a local file system (--out)", e.Dir, e.Err)
}
func (e *LockError) Unwrap() error { return e.Err }

// lockError names the folder in which the lock failed; nil stays nil.
func lockError(dir string, err error) error {
	if err == nil {
		return nil
	}
	return &LockError{Dir: dir, Err: err}
}
