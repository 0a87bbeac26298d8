package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/perf/benchfmt"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/summary"
	"floodgate/results/text"
	"floodgate/scenarios"
)

func TestGolden(t *testing.T) {
	for name, run := range reporttest.Runs() {
		t.Run(name, func(t *testing.T) {
			v := reporttest.Judge(t, run)
			for _, width := range []int{80, 120} {
				var out bytes.Buffer
				if err := report.Terminal(&out, run, v, text.Options{Width: width}); err != nil {
					t.Fatal(err)
				}
				reporttest.Golden(t, fmt.Sprintf("%s.%d.txt", name, width), out.Bytes())
			}
			var doc, bench bytes.Buffer
			if err := report.JSON(&doc, v); err != nil {
				t.Fatal(err)
			}
			reporttest.Golden(t, name+".json", doc.Bytes())
			if err := report.GoBench(&bench, run); err != nil {
				t.Fatal(err)
			}
			reporttest.Golden(t, name+".bench", bench.Bytes())
		})
	}
}

// Color adds only escape sequences, which take no width.
func TestColorIsTheSameText(t *testing.T) {
	for name, run := range reporttest.Runs() {
		var plain, colored bytes.Buffer
		v := reporttest.Judge(t, run)
		if err := report.Terminal(&plain, run, v, text.Options{Width: 90}); err != nil {
			t.Fatal(err)
		}
		if err := report.Terminal(&colored, run, v, text.Options{Width: 90, Color: true}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(plain.String(), "\x1b") {
			t.Errorf("%s: escape sequences without color", name)
		}
		if !strings.Contains(colored.String(), "\x1b[") {
			t.Errorf("%s: no escape sequences with color", name)
		}
		if diff := cmp.Diff(plain.String(), reporttest.Trimmed(ansi.Strip(colored.String()))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestNoLineIsTooWide(t *testing.T) {
	for name, run := range reporttest.Runs() {
		v := reporttest.Judge(t, run)
		for width := 80; width <= 130; width += 10 {
			var out bytes.Buffer
			if err := report.Terminal(&out, run, v, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out.String()) {
				if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); w > width {
					t.Errorf("%s at %d: %d columns: %s", name, width, w, line)
				}
				if strings.TrimRight(line, " \n") != strings.TrimSuffix(line, "\n") {
					t.Errorf("%s at %d: spaces at the end of %q", name, width, line)
				}
			}
		}
	}
}

func TestJSONReadsBack(t *testing.T) {
	for name, run := range reporttest.Runs() {
		var out bytes.Buffer
		want := reporttest.Judge(t, run)
		if err := report.JSON(&out, want); err != nil {
			t.Fatal(err)
		}
		var got claims.Outcome
		dec := json.NewDecoder(&out)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, &got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// x/perf reads the measured values without an error.
func TestGoBenchReadsBack(t *testing.T) {
	for name, run := range reporttest.Runs() {
		var out bytes.Buffer
		if err := report.GoBench(&out, run); err != nil {
			t.Fatal(err)
		}
		r := benchfmt.NewReader(&out, name)
		results, names := 0, map[string]string{}
		for r.Scan() {
			switch rec := r.Result().(type) {
			case *benchfmt.SyntaxError:
				t.Fatal(rec)
			case *benchfmt.Result:
				trial := okTrials(run)[results]
				results++
				if got, _ := rec.Value("sec/op"); math.Abs(got-trial.Makespan.Seconds()) > 1e-9 {
					t.Errorf("%s: %v sec/op, want %v", rec.Name, got, trial.Makespan)
				}
				item, has := trial.Stages["item"]
				if got, ok := rec.Value("p99-sec"); ok != has || math.Abs(got-item.P99.Seconds()) > 1e-9 {
					t.Errorf("%s: %v p99-sec, %v; want %v, %v", rec.Name, got, ok, item.P99, has)
				}
				for _, key := range []string{"goos", "goarch", "pkg", "cpu"} {
					if rec.GetConfig(key) == "" {
						t.Errorf("%s: no %s", rec.Name, key)
					}
				}
				full := rec.Name.Full()
				cell := trial.Variant + " " + trial.LevelName
				if other, ok := names[string(full)]; ok && other != cell {
					t.Errorf("%s stands for %q and %q", full, other, cell)
				}
				names[string(full)] = cell
			}
		}
		if err := r.Err(); err != nil || results != len(okTrials(run)) {
			t.Errorf("%s: %d results, %v; want %d", name, results, err, len(okTrials(run)))
		}
		for unit, better := range map[string]int{"p99-ns": -1, "peak-fds": -1, "%reduction": 1, "errors": -1} {
			if got := r.Units().GetBetter(unit); got != better {
				t.Errorf("%s: %s better %d, want %d", name, unit, got, better)
			}
		}
	}
}

// okTrials returns the measured trials in the order of the benchmark text: by variant,
// level and block.
func okTrials(run *results.Run) []results.Trial {
	x, err := summary.NewIndex(run)
	if err != nil {
		panic(err)
	}
	var all []results.Trial
	for _, v := range x.Scenario.Variants {
		for _, l := range x.Levels {
			for _, t := range x.Trials(v.Name, l.Name) {
				if t.Outcome == results.OutcomeOK {
					all = append(all, *t)
				}
			}
		}
	}
	return all
}

// Variants that differ only in connections have different names.
func TestGoBenchTellsVariantsApart(t *testing.T) {
	run := runtest.New(runtest.Options{Bare: true, Variants: []scenarios.Variant{
		{Name: "kept", Strategy: "bounded", Limit: 10},
		{Name: "fresh", Strategy: "bounded", Limit: 10, Connections: scenarios.Connections{Upstream: "fresh"}},
	}})
	var out bytes.Buffer
	if err := report.GoBench(&out, run); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"BenchmarkPipeline/strategy=bounded/limit=10/variant=kept/items=20-2 1 ", "/limit=10/variant=fresh/items=200-2 1 "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}

func TestWriteErrorsAreReported(t *testing.T) {
	run := runtest.Unclaimed()
	v := reporttest.Judge(t, run)
	for name, write := range map[string]func(io.Writer) error{
		"terminal": func(w io.Writer) error { return report.Terminal(w, run, v, text.Options{}) },
		"json":     func(w io.Writer) error { return report.JSON(w, v) },
		"gobench":  func(w io.Writer) error { return report.GoBench(w, run) },
	} {
		if err := write(reporttest.FailingWriter{}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
