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

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/compare"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/report/text"
	"floodgate/scenarios"
)

// comparisons are made once, like the cases.
var comparisons = sync.OnceValue(func() map[string]*compare.Comparison {
	slower := runtest.New(runtest.Options{Claims: runtest.Claims(), Change: func(t *results.Trial) bool {
		t.Makespan += t.Makespan / 20
		return t.Variant != "batched"
	}})
	slower.Header.ID += "-b"
	messy, other := runtest.New(runtest.Options{Blocks: 6, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": []any{20, 50}}}}), runtest.Contained()
	other.Trials = append([]results.Trial{}, other.Trials...)
	for i := range 2 {
		other.Trials[i].Outcome, other.Trials[i].Makespan, other.Trials[i].Stages = results.OutcomeCrashed, 0, nil
	}
	other.Header.Fingerprint.Cores = 8
	return map[string]*compare.Comparison{
		"alike": compared(cases()["clean"], slower),
		"mixed": compared(messy, other),
	}
})

func compared(a, b *results.Run) *compare.Comparison {
	c, err := compare.Compare(a, b, compare.Options{AllowMixed: true})
	if err != nil {
		panic(err)
	}
	return c
}

func TestComparison(t *testing.T) {
	for name, c := range comparisons() {
		for _, width := range []int{80, 120} {
			var out bytes.Buffer
			if err := report.Comparison(&out, c, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			golden(t, fmt.Sprintf("comparison.%s.%d.txt", name, width), out.Bytes())
		}
		var doc, markdown bytes.Buffer
		if err := report.ComparisonJSON(&doc, c); err != nil {
			t.Fatal(err)
		}
		golden(t, "comparison."+name+".json", doc.Bytes())
		if err := report.ComparisonMarkdown(&markdown, c); err != nil {
			t.Fatal(err)
		}
		golden(t, "comparison."+name+".md", markdown.Bytes())
	}
}

// Every output says first that environments were mixed, and only where they were.
func TestMixedIsSaidAtTheTop(t *testing.T) {
	for name, c := range comparisons() {
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
		"markdown": func(w io.Writer) error { return report.ComparisonMarkdown(w, c) },
	}
}

func TestComparisonFitsAndColors(t *testing.T) {
	for name, c := range comparisons() {
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
			if diff := cmp.Diff(plain.String(), trimmed(ansi.Strip(colored.String()))); diff != "" || strings.Contains(plain.String(), "\x1b") {
				t.Errorf("%s at %d: %s", name, width, diff)
			}
		}
	}
}

// Runs with nothing in common say so, in place of tables.
func TestNothingInCommon(t *testing.T) {
	other := runtest.New(runtest.Options{Blocks: 6, Bare: true, Levels: []scenarios.LevelSet{{"items": []any{10, 60}}}})
	other.Header.ID += "-b"
	c := compared(cases()["clean"], other)
	var words, markdown bytes.Buffer
	if err := errors.Join(report.Comparison(&words, c, text.Options{Width: 120}), report.ComparisonMarkdown(&markdown, c)); err != nil {
		t.Fatal(err)
	}
	golden(t, "comparison.nothing.120.txt", words.Bytes())
	golden(t, "comparison.nothing.md", markdown.Bytes())
}

func TestComparisonReadsBack(t *testing.T) {
	for name, c := range comparisons() {
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

// Names that people give are text, whatever they look like.
func TestMarkdownEscapes(t *testing.T) {
	variants := runtest.Variants()[:2]
	variants[1].Name = "a|b*c_<d>[e]"
	run := runtest.New(runtest.Options{Blocks: 6, Bare: true, Variants: variants, Levels: []scenarios.LevelSet{{"items": 20}}})
	var out bytes.Buffer
	if err := report.ComparisonMarkdown(&out, compared(run, run)); err != nil {
		t.Fatal(err)
	}
	if want := `| a\|b\*c\_&lt;d&gt;\[e] |`; !strings.Contains(out.String(), want) {
		t.Errorf("no %s in\n%s", want, out.String())
	}
}

func TestComparisonWriteErrors(t *testing.T) {
	for format, write := range formats(comparisons()["mixed"]) {
		if err := write(full{}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestRuns(t *testing.T) {
	listed := func(run *results.Run, trials int) results.Listed {
		return results.Listed{ID: run.Header.ID, Dir: "results/runs/" + run.Header.ID, Header: run.Header, Trials: trials, Complete: trials == run.Header.Planned}
	}
	quick := runtest.Contained()
	quick.Header.Quick = true
	runs := []results.Listed{
		listed(cases()["clean"], 192), listed(quick, 7),
		{ID: "20261124-000000.000-bad0bad", Err: errors.New("results/runs/20261124-000000.000-bad0bad/run.jsonl:1: no header: the run was killed before it began")},
	}
	var words, doc bytes.Buffer
	if err := report.Runs(&words, runs, text.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	golden(t, "runs.txt", words.Bytes())
	if err := report.RunsJSON(&doc, runs); err != nil {
		t.Fatal(err)
	}
	golden(t, "runs.json", doc.Bytes())
	if err := errors.Join(report.Runs(full{}, runs, text.Options{}), report.RunsJSON(full{}, nil)); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}
