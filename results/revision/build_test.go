package revision

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
)

// The test itself is a Go program, and a text has neither.
func TestBuilt(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	toolchain, library := Built([]string{self})
	if toolchain != runtime.Version() {
		t.Errorf("built by %q, want %q", toolchain, runtime.Version())
	}
	if runtime.GOOS == "linux" && !regexp.MustCompile(`^(none|musl|glibc \d+\.\d+)$`).MatchString(library) {
		t.Errorf("C library %q", library)
	}
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{nil, {script}, {filepath.Join(t.TempDir(), "none")}} {
		if toolchain, library := Built(command); toolchain != "" || library != "" {
			t.Errorf("%q: %q, %q", command, toolchain, library)
		}
	}
}
