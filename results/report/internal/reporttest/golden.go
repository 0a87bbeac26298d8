// Package reporttest makes the runs, plans and outcomes that the tests of reports
// render, and compares what they render with golden files.
package reporttest

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/claims"
)

// Update makes [Golden] write its files.
var Update = flag.Bool("update", false, "write the golden files")

// Golden compares got with the golden file of the given name.
func Golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *Update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", path, diff)
	}
}

// Judge judges the claims of a run.
func Judge(t *testing.T, run *results.Run) *claims.Outcome {
	t.Helper()
	v, err := claims.Judge(run)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Trimmed returns text without trailing spaces in its lines.
func Trimmed(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// FailingWriter is a writer on which every write fails.
type FailingWriter struct{}

func (FailingWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
