package scratch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFitFolder(t *testing.T) {
	dir := t.TempDir()
	if err := Lockable(dir); err != nil {
		t.Error(err)
	}
	if err := Executable(dir); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	missing := filepath.Join(dir, "missing")
	if err := Lockable(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("locks in a missing folder: %v", err)
	}
	if err := Executable(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("programs in a missing folder: %v", err)
	}
}

// Mounting a folder noexec or without locks takes privileges that a test lacks, so the
// system's errors are passed in.
func TestErrorsNameTheFolderAndTheRemedy(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	denied := &fs.PathError{Op: "fork/exec", Path: filepath.Join(temporary, "floodgate-probe-1"), Err: syscall.EACCES}
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"noexec", executable(temporary, denied), []string{temporary, "permission denied", "noexec", "set TMPDIR to a folder"}},
		{"no locks", lockOf(filepath.Join(temporary, "a"), syscall.ENOLCK), []string{temporary, "file locks do not work", "set TMPDIR to a folder"}},
		{"no locks in a folder of the user's", lockOf("/mnt/data", syscall.ENOLCK), []string{"/mnt/data", "choose a folder"}},
	} {
		if c.err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, text := range c.want {
			if !strings.Contains(c.err.Error(), text) {
				t.Errorf("%s: %q does not contain %q", c.name, c.err, text)
			}
		}
		if strings.Contains(c.err.Error(), "floodgate-probe") {
			t.Errorf("%s: %q names the probe", c.name, c.err)
		}
	}
	if err := executable(temporary, syscall.ENOEXEC); err != nil {
		t.Errorf("an empty file is not in the system's format, which says nothing about the folder: %v", err)
	}
}

func TestOnlyARefusedLockIsALockError(t *testing.T) {
	var refused *LockError
	if err := lockOf("/mnt", syscall.ENOLCK); !errors.As(err, &refused) || refused.Dir != "/mnt" || !errors.Is(err, syscall.ENOLCK) {
		t.Errorf("refused: %v", err)
	}
	if err := lockOf("/mnt", ErrLocked); !errors.Is(err, ErrLocked) || errors.As(err, &refused) {
		t.Errorf("held by another process: %v", err)
	}
	if err := lockOf("/mnt", nil); err != nil {
		t.Errorf("locked: %v", err)
	}
}
