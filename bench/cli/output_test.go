package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

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

// What is piped has the width in COLUMNS, if that is one.
func TestColumns(t *testing.T) {
	widest := func(columns string) (most int) {
		t.Setenv("COLUMNS", columns)
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"compare", "20261101-000000.000-aaaaaa", "20261102-000000.000-bbbbbb", "--out", filepath.Join("testdata", "runs")}, &stdout, &stderr); code != verdict.ExitPassed {
			t.Fatal(stderr.String())
		}
		for line := range strings.Lines(stdout.String()) {
			most = max(most, utf8.RuneCountInString(strings.TrimRight(line, "\n")))
		}
		return most
	}
	usual := widest("")
	if usual > 100 || usual <= 80 {
		t.Errorf("%d columns as usual", usual)
	}
	if n := widest("80"); n > 80 {
		t.Errorf("COLUMNS=80: %d columns", n)
	}
	if n := widest("200"); n <= 100 || n > 200 {
		t.Errorf("COLUMNS=200: %d columns", n)
	}
	for _, bad := range []string{"0", "-80", "wide"} {
		if n := widest(bad); n != usual {
			t.Errorf("COLUMNS=%s: %d columns, want %d", bad, n, usual)
		}
	}
}
