package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/scenarios"

	"github.com/google/go-cmp/cmp"
)

// Each line number is that of the claim or the threshold, or of the line before it.
func TestLoadLines(t *testing.T) {
	for _, file := range []string{"report.yaml", "service.yaml"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Split(string(src), "\n")
		s, lines, err := scenarios.LoadLines(file)
		if err != nil || len(lines.Claims) != len(s.Claims) || len(lines.Thresholds) != len(s.Thresholds) {
			t.Fatalf("%+v, %v", lines, err)
		}
		for _, c := range s.Claims {
			if at := text[max(lines.Claims[c.ID], 1)-1]; !strings.Contains(at, "id: "+c.ID) {
				t.Errorf("%s is said to stand at line %d: %q", c.ID, lines.Claims[c.ID], at)
			}
		}
		for _, c := range s.Thresholds {
			if at := text[max(lines.Thresholds[c.Rule], 1)-1]; !strings.Contains(at, c.Rule) {
				t.Errorf("%s is said to stand at line %d: %q", c.Rule, lines.Thresholds[c.Rule], at)
			}
		}
	}
	src, err := os.ReadFile("report.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, want, err := scenarios.LoadLines("report.yaml")
	if err != nil {
		t.Fatal(err)
	}
	windows := filepath.Join(t.TempDir(), "report.yaml")
	if err := os.WriteFile(windows, []byte("\uFEFF"+strings.ReplaceAll(string(src), "\n", "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	_, got, err := scenarios.LoadLines(windows)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("with CRLF and a byte-order mark: %v\n%s", err, diff)
	}
	if _, _, err := scenarios.LoadLines("nosuch.yaml"); err == nil {
		t.Error("no error for a file that is not there")
	}
}
