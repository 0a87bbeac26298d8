package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/baseline"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// few is a run of a few cells.
func few(variants []scenarios.Variant, levels scenarios.LevelSet, change func(t *results.Trial) bool) *results.Run {
	return runtest.New(runtest.Options{Blocks: 8, Variants: variants, Levels: []scenarios.LevelSet{levels}, Claims: runtest.Claims()[3:], Change: change})
}

// gates are verdicts of every kind that there is.
var gates = sync.OnceValue(func() map[string]*baseline.Verdict {
	some := append(runtest.Variants()[:2:2], runtest.Variants()[3])
	items := scenarios.LevelSet{"items": []any{20, 200}}
	good := few(some, items, nil)
	worse := few(append(some[:2:2], runtest.Variants()[5]), items, func(t *results.Trial) bool {
		switch {
		case t.Variant == "joined-10" && t.Items == 200:
			t.Makespan += t.Makespan / 2
			t.Descriptors.Peak += 20
			t.Resources.PeakRSS = 0
		case t.Variant == "joined-10" && t.Block == 2:
			t.Documents.Found, t.Documents.Lost = t.Items-1, 1
			t.Errors = []results.ErrorCount{{Type: "emfile", Side: "mongo", Count: 3, Sample: "x"}}
		case t.Variant == "sequential" && t.Items == 200 && t.Block > 2:
			t.Makespan *= 2
		}
		return true
	})
	elsewhere := few(some, items, nil)
	elsewhere.Header.Fingerprint.CPU, elsewhere.Header.Fingerprint.Cores = "Apple M9", 12
	nothing := few(some, items, func(*results.Trial) bool { return false })
	long := scenarios.LevelSet{"items": []any{20}, "upstream.latency.median": []any{"5ms", "100ms"}}
	return map[string]*baseline.Verdict{
		"held": gated(good, few(some, items, nil), false), "worse": gated(good, worse, true), "elsewhere": gated(good, elsewhere, false),
		"nothing": gated(good, nothing, false),
		"long":    gated(few(some[:2], long, nil), few(some[:2], long, func(t *results.Trial) bool { t.Makespan += 3 * time.Millisecond; return t.Block < 6 }), false),
	}
})

func gated(old, run *results.Run, strict bool) *baseline.Verdict {
	run.Header.ID += "-b"
	b, err := baseline.FromRun(old)
	if err != nil {
		panic(err)
	}
	v, err := baseline.Gate("results/baseline/report.yaml", b, run, baseline.Options{Margin: baseline.DefaultMargin, ShareMargin: baseline.DefaultShareMargin, StrictTimes: strict})
	if err != nil {
		panic(err)
	}
	return v
}

func TestBaseline(t *testing.T) {
	for name, v := range gates() {
		for _, width := range []int{80, 120} {
			var out bytes.Buffer
			if err := report.Baseline(&out, v, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			golden(t, fmt.Sprintf("baseline.%s.%d.txt", name, width), out.Bytes())
		}
		run := &results.Run{Header: results.Header{ID: v.Run.Run, ScenarioName: v.Run.Scenario}}
		j := report.BaselineJudgement(report.Judged{Run: run, Verdict: v.Run}, v, "floodgate gate "+v.Run.Run)
		if name == "worse" {
			golden(t, "baseline.worse.md", report.Comment(j))
		}
		checkSARIF(t, report.SARIF(j))
		checkAnnotations(t, report.Annotations(j))
		checkMarkdown(t, report.Comment(j), report.MaxComment)
		if n := parseJUnit(t, report.JUnit(j)); (v.Exit == verdict.ExitPassed) != (n.Failures+n.Errors == 0) || v.Exit == verdict.ExitFailed && n.Failures == 0 {
			t.Errorf("%s: exit code %d, and %+v", name, v.Exit, n)
		}
		if uncompared := strings.Contains(string(report.JUnit(j)), `name="nothing-compared"`); uncompared != (name == "nothing") || uncompared && v.Comparison.Exit != verdict.ExitNotMeasured {
			t.Errorf("%s: exit code %d, a check that nothing was compared: %v", name, v.Comparison.Exit, uncompared)
		}
	}
}

func TestBaselineFitsAndColors(t *testing.T) {
	for name, v := range gates() {
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
			if diff := cmp.Diff(plain.String(), trimmed(ansi.Strip(colored.String()))); diff != "" || strings.Contains(plain.String(), "\x1b") {
				t.Errorf("%s at %d: %s", name, width, diff)
			}
		}
	}
}

// Every value that is judged has its limit beside it in every output, and what
// could not be compared is there.
func TestBaselineLimits(t *testing.T) {
	for name, v := range gates() {
		var out bytes.Buffer
		if err := report.BaselineJSON(&out, v); err != nil {
			t.Fatal(err)
		}
		var got baseline.Verdict
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
	old, err := baseline.FromRun(few(some, items, nil))
	if err != nil {
		t.Fatal(err)
	}
	b, err := baseline.FromRun(few(some, items, func(t *results.Trial) bool {
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
	golden(t, "baseline.changes.txt", out.Bytes())
	golden(t, "baseline.first.txt", first.Bytes())
	v := gates()["held"]
	for _, err := range []error{
		report.Baseline(full{}, v, text.Options{}), report.BaselineJSON(full{}, v), report.BaselineChanges(full{}, "x", nil, b, text.Options{}),
	} {
		if !errors.Is(err, io.ErrShortWrite) {
			t.Error(err)
		}
	}
}
