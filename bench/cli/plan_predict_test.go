package cli

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/verdict"
	"floodgate/results/whatif"
)

// measuredSweep is the folder of a run that was measured at limits 1 to 64.
func measuredSweep(t *testing.T) string {
	t.Helper()
	f, err := os.Open("../../results/whatif/testdata/sweep.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, results.FileName), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A what-if reads what is stored, and leaves it as it is.
func TestWhatIf(t *testing.T) {
	dir := measuredSweep(t)
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"plan", "predict", dir, "items=1e4,limit=64", "hosts=4"}, &stdout, &stderr)
	if code != verdict.ExitPassed || stderr.Len() > 0 {
		t.Fatalf("exit code %d, %s", code, &stderr)
	}
	for _, want := range []string{"what if items=10000,limit=64,hosts=4", "makespan", "bounded-16", "extrapolated", "4 hosts: 1 host was measured"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, &stdout)
		}
	}
	stdout.Reset()
	code = run(t.Context(), []string{"plan", "predict", filepath.Join(dir, results.FileName), "limit=16", "--format", "json"}, &stdout, &stderr)
	var a whatif.Answer
	if err := json.Unmarshal(stdout.Bytes(), &a); err != nil || code != verdict.ExitPassed {
		t.Fatalf("exit code %d, %v, %s", code, err, &stderr)
	}
	if a.Strategy != "bounded(16)" || a.Items != 1000 || a.Makespan <= 0 || !a.Validation.InSample.Within() || len(a.Outside) != 0 {
		t.Errorf("%+v", a)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%v files, error %v", left, err)
	}
}
