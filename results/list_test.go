package results_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/internal/runtest"
)

func TestList(t *testing.T) {
	if runs, err := results.List(filepath.Join(t.TempDir(), "none")); err != nil || len(runs) != 0 {
		t.Errorf("no root: %v, %v", runs, err)
	}
	root, run := t.TempDir(), runtest.Unclaimed()
	store := func(id string, trials int, finish bool) string {
		h := run.Header
		h.ID = id
		s, err := results.Create(root, h)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		appendAll(t, s, run.Trials[:trials])
		if finish {
			if err := s.Finish(); err != nil {
				t.Fatal(err)
			}
		}
		return filepath.Join(s.Dir(), results.FileName)
	}
	store("20260103-000000.000-aaaaaa", 12, true)
	torn := store("20260101-000000.000-bbbbbb", 3, false)
	headless := store("20260102-000000.000-cccccc", 0, false)
	for path, cut := range map[string]int64{torn: 7, headless: 50} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, info.Size()-cut); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "no-run"), 0o755); err != nil {
		t.Fatal(err)
	}
	runs, err := results.List(root)
	if err != nil || len(runs) != 3 {
		t.Fatalf("%v, %v", runs, err)
	}
	if r := runs[0]; r.ID != "20260101-000000.000-bbbbbb" || r.Trials != 2 || r.Complete || r.Err != nil || r.Header.ScenarioName != "report" {
		t.Errorf("torn: %+v", r)
	}
	if r := runs[1]; r.Err == nil || !strings.Contains(r.Err.Error(), "run.jsonl:1: the header is missing") {
		t.Errorf("headless: %+v", r)
	}
	if r := runs[2]; r.Trials != 12 || !r.Complete || r.Err != nil {
		t.Errorf("complete: %+v", r)
	}
}

// Digest returns what the footer has, of complete runs alone.
func TestDigest(t *testing.T) {
	root, run := t.TempDir(), runtest.Unclaimed()
	record, err := runtest.Store(root, run)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(record)
	src, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(src), "\n")
	footer := lines[len(lines)-2]
	digest, err := results.Digest(dir)
	if err != nil || len(digest) != 64 || !strings.Contains(footer, digest) {
		t.Errorf("%q, %v; the footer is %s", digest, err, footer)
	}
	for what, content := range map[string]string{
		"empty": "", "without a footer": strings.TrimSuffix(string(src), footer), "cut off": string(src[:len(src)-1]),
		"with more": string(src) + "{}\n", "with a line of zeros": string(src) + string(make([]byte, 600)) + "\n", "one line": footer[:20] + "\n",
	} {
		if err := os.WriteFile(record, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := results.Digest(dir); got != "" || err != nil {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	if _, err := results.Digest(root); !os.IsNotExist(err) {
		t.Error(err)
	}
}
