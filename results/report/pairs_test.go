package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"floodgate/results"
	"floodgate/results/pairs"
	"floodgate/results/report"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/stats"
	"floodgate/results/text"
)

func TestPairs(t *testing.T) {
	for _, name := range reporttest.PairKinds() {
		v := reporttest.PairsOutcome(t, name)
		for _, width := range []int{80, 120} {
			var plain, colored bytes.Buffer
			if err := report.Pairs(&plain, v, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			reporttest.Golden(t, fmt.Sprintf("pairs.%s.%d.txt", name, width), plain.Bytes())
			narrow(t, plain.String(), width)
			if err := report.Pairs(&colored, v, text.Options{Width: width, Color: true}); err != nil || ansi.Strip(colored.String()) != plain.String() {
				t.Errorf("%s: colors change the text: %v", name, err)
			}
		}
		var doc bytes.Buffer
		if err := report.PairsJSON(&doc, v); err != nil {
			t.Fatal(err)
		}
		var again pairs.Outcome
		if err := json.Unmarshal(doc.Bytes(), &again); err != nil {
			t.Fatal(err)
		}
		var words bytes.Buffer
		if err := report.Pairs(&words, &again, text.Options{}); err != nil {
			t.Fatal(err)
		}
		var first bytes.Buffer
		if err := report.Pairs(&first, v, text.Options{}); err != nil || words.String() != first.String() {
			t.Errorf("%s: the stored outcome prints differently: %v\n%s", name, err, words.String())
		}
	}
}

func TestSelfTest(t *testing.T) {
	s := &pairs.SelfTestOutcome{ID: "20261123-080000.000-abcdef", Time: 10 * time.Minute, Took: 601 * time.Second, Design: stats.DefaultDesign(), Blocks: 120, Machine: reporttest.AnyMachine, Unmeasured: 1}
	s.Design.Margin = 0.02
	found, missed := make([]bool, 120), make([]bool, 120)
	for i := range found {
		found[i] = true
	}
	if err := pairs.JudgeSelfTest(s, pairs.SelfTestPairs{
		Pairs:     map[string][]pairs.Pair{pairs.Same: reporttest.MadePairs(120, 1, 0.05), pairs.Latency5: reporttest.MadePairs(120, 1.04, 0.05), pairs.Latency10: reporttest.MadePairs(7, 1.09, 0.05)},
		Counted:   map[string][]bool{pairs.SameCounts: missed, pairs.Descriptors: found, pairs.LostWrite: append(missed[:1:1], found...)},
		Unchanged: map[string][]pairs.Pair{"makespan": reporttest.MadePairs(120, 1, 0.05), "CPU time": reporttest.MadePairs(120, 1, 0.1)},
		Machine:   []results.Conditions{{Load: new(0.7), Others: new(0.031), Stolen: new(0.0)}},
	}); err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if err := report.SelfTest(&plain, s, text.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "selftest.80.txt", plain.Bytes())
	narrow(t, plain.String(), 80)

	var lines []byte
	for i := range 3 {
		s.Started = time.Date(2026, 11, 23+i, 8, 0, 0, 0, time.UTC)
		var err error
		if lines, err = s.AppendLine(lines); err != nil {
			t.Fatal(err)
		}
	}
	series, err := pairs.ReadSelfTests("selftest.jsonl", bytes.NewReader(lines))
	if err != nil || len(series.Tests) != 3 {
		t.Fatalf("%v, %v", series, err)
	}
	var table bytes.Buffer
	if err := report.SelfTestSeries(&table, series, text.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "selftestseries.80.txt", table.Bytes())
	narrow(t, table.String(), 80)
}

func narrow(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.Lines(text) {
		if got := ansi.StringWidth(strings.TrimSuffix(line, "\n")); got > width {
			t.Errorf("%d columns of %d: %s", got, width, line)
		}
	}
}
