package results

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A test cannot mount a file system without locks, so its error is passed in; a closed
// file shows that lock returns such errors.
func TestLockErrorNamesTheFolderAndTheRemedy(t *testing.T) {
	err := lockError("/mnt/runs", syscall.ENOLCK)
	for _, text := range []string{"/mnt/runs", "file locks do not work", "--out"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not contain %q", err, text)
		}
	}
	if !errors.Is(err, syscall.ENOLCK) {
		t.Errorf("%v does not wrap the cause", err)
	}
	if err := lockError("/mnt/runs", nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

func TestLockOfAFileThatRefusesIt(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("no flock on this system")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), FileName))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var refused *LockError
	if err := lock(f); !errors.As(err, &refused) || refused.Dir != filepath.Dir(f.Name()) {
		t.Errorf("lock of a closed file: %v", err)
	}
}
