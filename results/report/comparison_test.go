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

	"floodgate/results/compare"
	"floodgate/results/report"
	"floodgate/results/report/ci"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
)

func TestComparison(t *testing.T) {
	for name, c := range reporttest.Comparisons() {
		for _, width := range []int{80, 120} {
			var out bytes.Buffer
			if err := report.Comparison(&out, c, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			reporttest.Golden(t, fmt.Sprintf("comparison.%s.%d.txt", name, width), out.Bytes())
		}
		var doc bytes.Buffer
		if err := report.ComparisonJSON(&doc, c); err != nil {
			t.Fatal(err)
		}
		reporttest.Golden(t, "comparison."+name+".json", doc.Bytes())
	}
}

// Every output states at the top that environments were mixed, but only if they were.
func TestMixedEnvironmentsAreNotedAtTheTop(t *testing.T) {
	for name, c := range reporttest.Comparisons() {
		for format, write := range formats(c) {
			var out bytes.Buffer
			if err := write(&out); err != nil {
				t.Fatal(err)
			}
			text := out.String()
			if format == "json" {
				var doc struct {
					Mixed bool `json:"allowed_mixed"`
				}
				if err := json.Unmarshal(out.Bytes(), &doc); err != nil || doc.Mixed != (name == "mixed") {
					t.Errorf("%s: allowed_mixed %v, %v", name, doc.Mixed, err)
				}
				continue
			}
			first, _, _ := strings.Cut(text, "\n")
			if strings.Contains(first, "MIXED ENVIRONMENTS") != (name == "mixed") {
				t.Errorf("%s as %s begins with %q", name, format, first)
			}
			if !strings.Contains(strings.Join(strings.Fields(text), " "), "not interleaved") {
				t.Errorf("%s as %s does not say that the runs were not interleaved", name, format)
			}
		}
	}
}

func formats(c *compare.Comparison) map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{
		"text":     func(w io.Writer) error { return report.Comparison(w, c, text.Options{}) },
		"json":     func(w io.Writer) error { return report.ComparisonJSON(w, c) },
		"markdown": func(w io.Writer) error { return ci.ComparisonMarkdown(w, c) },
	}
}

func TestComparisonFitsAndColors(t *testing.T) {
	for name, c := range reporttest.Comparisons() {
		for width := 80; width <= 160; width += 10 {
			var plain, colored bytes.Buffer
			if err := report.Comparison(&plain, c, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			if err := report.Comparison(&colored, c, text.Options{Width: width, Color: true}); err != nil {
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
		}
	}
}

// The output for runs with nothing in common states that instead of tables.
func TestNothingInCommon(t *testing.T) {
	var words bytes.Buffer
	if err := report.Comparison(&words, reporttest.NothingShared(), text.Options{Width: 120}); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "comparison.nothing.120.txt", words.Bytes())
}

func TestComparisonReadsBack(t *testing.T) {
	for name, c := range reporttest.Comparisons() {
		var out bytes.Buffer
		if err := report.ComparisonJSON(&out, c); err != nil {
			t.Fatal(err)
		}
		var got compare.Comparison
		dec := json.NewDecoder(&out)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, &got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestComparisonWriteErrors(t *testing.T) {
	for format, write := range formats(reporttest.Comparisons()["mixed"]) {
		if err := write(reporttest.FailingWriter{}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", format, err)
		}
	}
}
