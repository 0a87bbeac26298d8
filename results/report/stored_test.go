package report_test

import (
	"os"
	"path/filepath"
	"testing"

	"floodgate/results"
	"floodgate/results/report/internal/reporttest"
)

// The committed runs for tests of the command line are those that are generated here.
func TestStoredRuns(t *testing.T) {
	folder := filepath.Join("..", "..", "bench", "cli", "testdata", "runs")
	for _, run := range reporttest.StoredRuns() {
		root := t.TempDir()
		s, err := results.Create(root, run.Header)
		if err != nil {
			t.Fatal(err)
		}
		for _, trial := range run.Trials {
			if err := s.Append(trial); err != nil {
				t.Fatal(err)
			}
		}
		if run.Complete {
			if err := s.Finish(); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		got, err := os.ReadFile(filepath.Join(s.Dir(), results.FileName))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, run.Header.ID, results.FileName)
		if *reporttest.Update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(got) {
			t.Errorf("%s is out of date (-update writes it)", path)
		}
	}
}
