package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/results/verdict"
	"floodgate/results/watched"
)

// The reports of the examples are generated from their records, byte for byte; -update
// rewrites them.
func TestExample(t *testing.T) {
	t.Chdir("../..") // the reports contain paths relative to the repository's root
	records, err := filepath.Glob("results/example/*/*.jsonl")
	if err != nil || len(records) != 6 {
		t.Fatalf("%d records, want those of report, service, exhaustion, plan, rates and watch; %v", len(records), err)
	}
	for _, record := range records {
		dir := filepath.Dir(record)
		formats := map[string]string{"html": "report.html", "text": "report.txt", "markdown": "report.md"}
		if filepath.Base(record) == watched.FileName {
			delete(formats, "markdown")
		}
		for format, file := range formats {
			var out, problems bytes.Buffer
			if code := run(t.Context(), []string{"report", dir, "--format", format}, &out, &problems); code == verdict.ExitMisused || problems.Len() > 0 {
				t.Errorf("%s as %s: exit code %d: %s", dir, format, code, problems.String())
				continue
			}
			path := filepath.Join(dir, file)
			if *update {
				if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			stored, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(stored, out.Bytes()) {
				t.Errorf("%s is not what the record gives; go test ./bench/cli -run TestExample -update writes it", path)
			}
			if text := out.String(); strings.Contains(text, "/tmp/") || strings.Contains(text, "/root/") {
				t.Errorf("%s names a folder of the machine that it was made on", path)
			}
		}
	}
}
