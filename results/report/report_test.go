package report_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
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

func judge(t *testing.T, run *results.Run) *gate.Verdict {
	t.Helper()
	v, err := gate.Judge(run)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func cases() map[string]*results.Run {
	return map[string]*results.Run{
		"clean": runtest.Clean(), "messy": runtest.Messy(), "external": runtest.External(), "unclaimed": runtest.Unclaimed(),
	}
}

func TestGolden(t *testing.T) {
	for name, run := range cases() {
		t.Run(name, func(t *testing.T) {
			v := judge(t, run)
			for _, width := range []int{80, 120} {
				var out bytes.Buffer
				if err := report.Terminal(&out, run, v, report.Options{Width: width}); err != nil {
					t.Fatal(err)
				}
				golden(t, fmt.Sprintf("%s.%d.txt", name, width), out.Bytes())
			}
			var doc, bench bytes.Buffer
			if err := report.JSON(&doc, v); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", doc.Bytes())
			if err := report.GoBench(&bench, run); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".bench", bench.Bytes())
		})
	}
}
