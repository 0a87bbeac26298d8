package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"floodgate/results"
	"floodgate/results/history"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
	"floodgate/scenarios"
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

// past returns the history of twenty-four runs, of which the last nine are slower in one
// variant, fail there, and use more descriptors for five days, and of other runs in
// between.
func past() *history.History {
	var c history.Collector
	for n := range 24 {
		rng := rand.New(rand.NewPCG(9, uint64(n)))
		host := math.Exp(0.02 * rng.NormFloat64())
		run := runtest.New(runtest.Options{
			Blocks: 6, Bare: true, Variants: runtest.Variants()[:4], Levels: []scenarios.LevelSet{{"items": []any{50, 200}}},
			Change: func(t *results.Trial) bool {
				t.Makespan = time.Duration(float64(t.Makespan) * host * (1 + 0.01*rng.NormFloat64()))
				if t.Variant == "bounded-10" && t.Items == 200 && n >= 15 {
					t.Makespan = t.Makespan * 6 / 5
					t.Errors = []results.ErrorCount{{Type: "timeout", Side: "mongo", Count: 1 + rng.IntN(2), Sample: "late"}}
				}
				if t.Variant == "joined-300" && n >= 7 && n < 12 {
					t.Descriptors.Peak += 60
				}
				return n != 20 || t.Variant != "joined-10" || t.Block > 0
			},
		})
		run.Header.ID = fmt.Sprintf("202611%02d-080000.000-%06x", n+1, 0xa00000+n)
		run.Header.Started = time.Date(2026, 11, n+1, 8, 0, 0, 0, time.UTC)
		run.Header.Fingerprint.Revision, run.Header.Fingerprint.Modified = strings.Repeat(fmt.Sprintf("%02x", n), 20), n == 15
		if n == 3 || n == 18 {
			run.Header.Environment.Kind = "containers"
		}
		if n == 5 {
			run.Header.Quick = true
		}
		c.Add(run)
	}
	c.Omit("20261101-000000.000-damaged", "results/runs/20261101-000000.000-damaged/run.jsonl:3: trial: the line ends early")
	return c.History(history.Options{})
}

func TestHistory(t *testing.T) {
	h := past()
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
