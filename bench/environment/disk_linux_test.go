package environment_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"floodgate/bench/environment"
)

// On a full disk, writes fail with an error that names the reason, and everything else
// works.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	disk, logs := t.TempDir(), t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("TMPDIR", disk)
	e, err := environment.Start(t.Context(), environment.Options{LogDir: logs})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if left := temporary(t); len(left) != 0 {
			t.Errorf("left %q", left)
		}
	}()
	configure(t, e)
	if err := e.Prepare(t.Context(), "test", "calls"); err != nil {
		t.Fatal(err)
	}
	fill := disk + "/fill"
	if err := os.WriteFile(fill, make([]byte, 2<<20), 0o600); err == nil {
		t.Fatal("the disk holds more than it should")
	}
	// The files have some free space left; only a larger write fails.
	big := strings.Repeat("x", 64)
	for i := 0; err == nil && i < 1000; i++ {
		err = use(t, e, big+strings.Repeat("y", i))
	}
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("write to a full disk: %v", err)
	}
	if died, err := e.Ensure(t.Context()); len(died) != 0 || err != nil {
		t.Errorf("a full disk killed %q, %v", died, err)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if err := e.Prepare(t.Context(), "test", "calls"); err != nil {
		t.Fatal(err)
	}
	if err := use(t, e, "a"); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if found := documents(t, e); len(found) != 1 {
		t.Errorf("documents %q, want one", found)
	}
}
