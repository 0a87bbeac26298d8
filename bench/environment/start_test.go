//go:build unix

package environment_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"floodgate/bench/environment"
)

// script writes an executable shell script.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStartFailsWithReason(t *testing.T) {
	tests := map[string]struct{ executable, want string }{
		"missing":     {filepath.Join(t.TempDir(), "missing"), "no such file"},
		"exits":       {script(t, "echo the disk is on fire >&2; exit 3"), "exit status 3; the end of its log:\nthe disk is on fire"},
		"babbles":     {script(t, "echo hello; cat"), `it wrote "hello" instead of its ready message`},
		"never ready": {script(t, "cat"), "not ready after 300ms"},
		"not there":   {script(t, `echo '{"ready":true,"addr":"127.0.0.1:1"}'; cat`), "refused"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			_, err := environment.Start(t.Context(), environment.Options{Executable: test.executable, ReadyTimeout: 300 * time.Millisecond})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v\nwant %q", err, test.want)
			}
			if left := temporary(t); len(left) != 0 {
				t.Errorf("left %q", left)
			}
		})
	}
}

func TestHalfStartedLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	pids := t.TempDir()
	program := script(t, fmt.Sprintf(`
echo $$ > %s/$1
case $1 in
	dbproxy-child) echo broken >&2; exit 1;;
	*) exec %s "$@";;
esac`, pids, os.Args[0]))
	_, err := environment.Start(t.Context(), environment.Options{Executable: program, Link: true})
	if err == nil || !strings.Contains(err.Error(), "start dbproxy") || !strings.Contains(err.Error(), "broken") {
		t.Errorf("error %v, want one with the proxy's log", err)
	}
	started, err := os.ReadDir(pids)
	if err != nil || len(started) != 3 {
		t.Fatalf("started %v, %v, want three", started, err)
	}
	for _, s := range started {
		text, err := os.ReadFile(filepath.Join(pids, s.Name()))
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil || lives(pid) {
			t.Errorf("%s, %d, lives on, %v", s.Name(), pid, err)
		}
	}
	if left := temporary(t); len(left) != 0 {
		t.Errorf("left %q", left)
	}
}
