package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/results/verdict"
)

// Where there is no browser the page is there all the same, and its path is said.
func TestOpenWithoutBrowser(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	page := filepath.Join(t.TempDir(), "page.html")
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"report", "20261101-000000.000-aaaaaa", "--out", filepath.Join("testdata", "runs"), "--open", "--output", page}, &stdout, &stderr)
	if code != verdict.ExitMisused || strings.TrimSpace(stdout.String()) != page || !strings.Contains(stderr.String(), "no browser could be opened") {
		t.Errorf("exit code %d, %q, %q", code, stdout.String(), stderr.String())
	}
	if text, err := os.ReadFile(page); err != nil || !bytes.Contains(text, []byte("<!doctype html>")) {
		t.Errorf("the page: %.40q, %v", text, err)
	}
	stderr.Reset()
	if code := run(t.Context(), []string{"report", "20261101-000000.000-aaaaaa", "--out", filepath.Join("testdata", "runs"), "--open", "--format", "json"}, &stdout, &stderr); code != verdict.ExitMisused {
		t.Errorf("--open --format json: exit code %d, %s", code, stderr.String())
	}
}
