package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/results/report"
)

// The summary of a step never becomes more than GitHub takes, and keeps what is there.
func TestSummaryHasRoom(t *testing.T) {
	runs := filepath.Join("testdata", "runs")
	for _, c := range []struct{ size, code int }{
		{0, exitFailed}, {1, exitFailed}, {report.MaxSummary - report.MaxComment - 2, exitFailed},
		{report.MaxSummary - report.MaxComment - 1, exitUsage}, {report.MaxSummary + 1, exitUsage},
	} {
		path := filepath.Join(t.TempDir(), "summary.md")
		before := bytes.Repeat([]byte("x"), c.size)
		if err := os.WriteFile(path, before, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv(summaryVariable, path)
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"report", "20261104-000000.000-dddddd", "--out", runs, "--github"}, &stdout, &stderr)
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		written, kept := bytes.CutPrefix(after, before)
		if code != c.code || !kept || (len(written) > 0) != (c.code == exitFailed) || c.code == exitFailed && len(after) > report.MaxSummary {
			t.Errorf("%d bytes: exit code %d, %d bytes then, kept %v: %s", c.size, code, len(after), kept, stderr.String())
		}
		if c.code == exitUsage && (stdout.Len() > 0 || !strings.Contains(stderr.String(), "GitHub takes")) {
			t.Errorf("%d bytes: %q, %q", c.size, stdout.String(), stderr.String())
		}
	}
}
