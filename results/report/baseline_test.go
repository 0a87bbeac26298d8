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

	"floodgate/results"
	"floodgate/results/baseline"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

func TestBaseline(t *testing.T) {
	for name, v := range reporttest.BaselineOutcomes() {
		for _, width := range []int{80, 120} {
			var out bytes.Buffer
			if err := report.Baseline(&out, v, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			reporttest.Golden(t, fmt.Sprintf("baseline.%s.%d.txt", name, width), out.Bytes())
		}
	}
}

func TestBaselineFitsAndColors(t *testing.T) {
	for name, v := range reporttest.BaselineOutcomes() {
		for width := 80; width <= 160; width += 20 {
			var plain, colored bytes.Buffer
			if err := errors.Join(report.Baseline(&plain, v, text.Options{Width: width}), report.Baseline(&colored, v, text.Options{Width: width, Color: true})); err != nil {
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

// Every output has the limit of every judged value beside it, and the values that could
// not be compared.
func TestBaselineLimits(t *testing.T) {
	for name, v := range reporttest.BaselineOutcomes() {
		var out bytes.Buffer
		if err := report.BaselineJSON(&out, v); err != nil {
			t.Fatal(err)
		}
		var got baseline.Outcome
		dec := json.NewDecoder(&out)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v.Comparison, got.Comparison); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for _, r := range got.Comparison.Rows {
			if r.Limit == nil && r.Decision != verdict.NotComparable && r.Metric != baseline.MetricCell {
				t.Errorf("%s: no limit: %+v", name, r)
			}
		}
		var words bytes.Buffer
		if err := report.Baseline(&words, v, text.Options{}); err != nil {
			t.Fatal(err)
		}
		for _, r := range got.Comparison.Rows {
			if !strings.Contains(words.String(), r.Metric) {
				t.Errorf("%s: nothing of %s", name, r.Metric)
			}
		}
	}
}

func TestBaselineChanges(t *testing.T) {
	some := runtest.Variants()[:2]
	items := scenarios.LevelSet{"items": []any{20, 200}}
	old, err := baseline.FromRun(reporttest.FewCells(some, items, nil))
	if err != nil {
		t.Fatal(err)
	}
	b, err := baseline.FromRun(reporttest.FewCells(some, items, func(t *results.Trial) bool {
		t.Makespan += t.Makespan / 8
		t.Resources.PeakRSS = 0
		return true
	}))
	if err != nil {
		t.Fatal(err)
	}
	var out, first bytes.Buffer
	if err := errors.Join(report.BaselineChanges(&out, "results/baseline/report.yaml", old, b, text.Options{Width: 80}),
		report.BaselineChanges(&first, "results/baseline/report.yaml", nil, b, text.Options{Width: 80})); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "baseline.changes.txt", out.Bytes())
	reporttest.Golden(t, "baseline.first.txt", first.Bytes())
	v := reporttest.BaselineOutcomes()["held"]
	for _, err := range []error{
		report.Baseline(reporttest.FailingWriter{}, v, text.Options{}), report.BaselineJSON(reporttest.FailingWriter{}, v), report.BaselineChanges(reporttest.FailingWriter{}, "x", nil, b, text.Options{}),
	} {
		if !errors.Is(err, io.ErrShortWrite) {
			t.Error(err)
		}
	}
}
