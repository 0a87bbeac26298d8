package report_test

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"floodgate/results"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
)

func TestRuns(t *testing.T) {
	listed := func(run *results.Run, trials int) results.Listed {
		return results.Listed{ID: run.Header.ID, Dir: "results/runs/" + run.Header.ID, Header: run.Header, Trials: trials, Complete: trials == run.Header.Planned}
	}
	quick := runtest.Contained()
	quick.Header.Quick = true
	runs := []results.Listed{
		listed(reporttest.Runs()["clean"], 192), listed(quick, 7),
		{ID: "20261124-000000.000-bad0bad", Err: errors.New("results/runs/20261124-000000.000-bad0bad/run.jsonl:1: the header is missing: the run was killed before it started")},
	}
	var words, doc bytes.Buffer
	if err := report.Runs(&words, runs, text.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "runs.txt", words.Bytes())
	if err := report.RunsJSON(&doc, runs); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "runs.json", doc.Bytes())
	if err := errors.Join(report.Runs(reporttest.FailingWriter{}, runs, text.Options{}), report.RunsJSON(reporttest.FailingWriter{}, nil)); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

func TestHistory(t *testing.T) {
	h := reporttest.Past()
	for _, width := range []int{80, 120} {
		var plain, styled bytes.Buffer
		if err := report.History(&plain, h, text.Options{Width: width}); err != nil {
			t.Fatal(err)
		}
		reporttest.Golden(t, "history."+strconv.Itoa(width)+".txt", plain.Bytes())
		if err := report.History(&styled, h, text.Options{Width: width, Color: true}); err != nil {
			t.Fatal(err)
		}
		if ansi.Strip(styled.String()) != plain.String() || styled.Len() == plain.Len() {
			t.Error("color is not the same text with color")
		}
		for line := range strings.Lines(plain.String()) {
			if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); w > width {
				t.Errorf("%d columns: %q", w, line)
			}
		}
	}
	var doc bytes.Buffer
	if err := report.HistoryJSON(&doc, h); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "history.json", doc.Bytes())
	for name, write := range map[string]func(io.Writer) error{
		"text": func(w io.Writer) error { return report.History(w, h, text.Options{}) },
		"json": func(w io.Writer) error { return report.HistoryJSON(w, h) },
	} {
		if err := write(reporttest.FailingWriter{}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
