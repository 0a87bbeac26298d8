package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"floodgate/results/gobench"
	"floodgate/results/report"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

func TestGoBenchVerdict(t *testing.T) {
	for name, v := range reporttest.GoBenchOutcomes(t) {
		for width := 80; width <= 140; width += 10 {
			var plain, colored bytes.Buffer
			err := errors.Join(report.GoBenchVerdict(&plain, v, text.Options{Width: width}), report.GoBenchVerdict(&colored, v, text.Options{Width: width, Color: true}))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(plain.String()) {
				if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); w > width {
					t.Errorf("%s at %d: %d columns: %s", name, width, w, line)
				}
			}
			if diff := cmp.Diff(plain.String(), reporttest.Trimmed(ansi.Strip(colored.String()))); diff != "" || strings.Contains(plain.String(), "\x1b") {
				t.Errorf("%s at %d: %s", name, width, diff)
			}
			if width == 80 || width == 120 {
				reporttest.Golden(t, fmt.Sprintf("gobenchgate.%s.%d.txt", name, width), plain.Bytes())
			}
		}
		var doc bytes.Buffer
		if err := report.GoBenchVerdictJSON(&doc, v); err != nil {
			t.Fatal(err)
		}
		reporttest.Golden(t, "gobenchgate."+name+".json", doc.Bytes())
		var got gobench.Outcome
		dec := json.NewDecoder(&doc)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v, &got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if err := errors.Join(report.GoBenchVerdict(reporttest.FailingWriter{}, v, text.Options{}), report.GoBenchVerdictJSON(reporttest.FailingWriter{}, v)); !errors.Is(err, io.ErrShortWrite) {
			t.Error(err)
		}
	}
}

// The gate accepts the output of package report for a run, and finds no difference from
// itself.
func TestGateReadsOurBenchmarks(t *testing.T) {
	for name, run := range reporttest.Runs() {
		var out bytes.Buffer
		if err := report.GoBench(&out, run); err != nil {
			t.Fatal(err)
		}
		v, err := gobench.Judge(gobench.Input{Name: "a", Reader: bytes.NewReader(out.Bytes())}, gobench.Input{Name: "b", Reader: bytes.NewReader(out.Bytes())}, gobench.Options{Alpha: 0.05})
		var none gobench.Errors
		if errors.As(err, &none) && !strings.Contains(out.String(), "\nBenchmark") {
			continue // the run has no measured trial
		}
		if err != nil || v.Counts[verdict.Worse]+v.Counts[verdict.Better] > 0 {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}
