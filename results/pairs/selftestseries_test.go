package pairs_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"floodgate/results/pairs"
	"floodgate/results/stats"
)

// lineOf returns a line of a series: a test with some false alarms among ten gates.
func lineOf(t *testing.T, worse int) []byte {
	t.Helper()
	s := &pairs.SelfTestOutcome{ID: "20261123-080000.000-abcdef", Started: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), Design: stats.DefaultDesign(), Records: "results/gates/x"}
	counted := make([]bool, 10)
	for i := range worse {
		counted[i] = true
	}
	if err := pairs.JudgeSelfTest(s, pairs.SelfTestPairs{Counted: map[string][]bool{pairs.SameCounts: counted}}); err != nil {
		t.Fatal(err)
	}
	line, err := s.AppendLine(nil)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestSelfTestSeries(t *testing.T) {
	lines := append(lineOf(t, 1), lineOf(t, 0)...)
	series, err := pairs.ReadSelfTests("selftest.jsonl", bytes.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	if series.Tests[0].Records != "" {
		t.Errorf("a line names a folder of this machine: %s", series.Tests[0].Records)
	}
	for _, r := range series.Pooled {
		counts := r.Treatment == pairs.SameCounts
		if counts && (r.Gates != 20 || r.Worse != 1 || r.NotWorse != 19 || r.Rate.Estimate != 0.05) || !counts && (r.Gates != 0 || r.Rate != nil) {
			t.Errorf("pooled: %+v", r)
		}
	}
}

func TestReadSelfTestsRefuses(t *testing.T) {
	good := string(lineOf(t, 1))
	for text, want := range map[string]string{
		good + "{":                        "series.jsonl:2: unexpected EOF (want a line that gate selftest --append wrote)",
		good + "\n" + good:                "series.jsonl:2: EOF",
		strings.TrimSpace(good) + " true": "series.jsonl:1: text after the self-test",
		`{"id": "x"}`:                     "series.jsonl:1: id and started must be set",
		`{"host": "x"}`:                   `series.jsonl:1: json: unknown field "host"`,
		strings.Replace(good, `"worse":1`, `"worse":11`, 1):    "nothing, by count: the decisions of 10 gates are 11 worse",
		strings.Replace(good, `"gates":10`, `"gates":9000`, 1): "the decisions of 9000 gates are 1 worse, 9 not worse and 0 undecided",
	} {
		if _, err := pairs.ReadSelfTests("series.jsonl", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
	}
}

func FuzzReadSelfTests(f *testing.F) {
	f.Add([]byte(`{"id":"a","started":"2026-11-23T08:00:00Z","rows":[{"treatment":"nothing","gates":3,"worse":1,"not_worse":2,"undecided":0}]}`))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		series, err := pairs.ReadSelfTests("series.jsonl", bytes.NewReader(text))
		if err != nil {
			return
		}
		var again []byte
		for i := range series.Tests {
			if again, err = series.Tests[i].AppendLine(again); err != nil {
				t.Fatal(err)
			}
		}
		if same, err := pairs.ReadSelfTests("series.jsonl", bytes.NewReader(again)); err != nil || len(same.Tests) != len(series.Tests) {
			t.Fatalf("%v: %q", err, again)
		}
	})
}
