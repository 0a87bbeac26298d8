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
	"floodgate/results/against"
	"floodgate/results/report"
	"floodgate/results/report/text"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// paired are pairs whose B takes ratio times as long, a little more or less.
func paired(n int, ratio, wobble float64) (pairs []against.Pair) {
	for i := range n {
		a := 80e6 * (1 + 0.01*float64(i%5))
		pairs = append(pairs, against.Pair{A: a, B: a * ratio * (1 + wobble*float64(i*7%n-n/2)/float64(n))})
	}
	return pairs
}

var anyMachine = results.Fingerprint{CPU: "Some CPU", Cores: 2, Memory: 8 << 30, OS: "linux", Arch: "amd64"}

func versus(t *testing.T, name string) *against.Verdict {
	t.Helper()
	v := &against.Verdict{ID: "20261123-080000.000-abcdef", Seed: 1, Design: stats.DefaultLooks(), Machine: anyMachine, Records: "results/gates/20261123-080000.000-abcdef"}
	var err error
	switch name {
	case "commands":
		v.Kind, v.A.Name, v.B.Name = against.Commands, "./old --x", "./new --x"
		err = against.JudgePairs(v, against.Commanded{Metric: against.Wall, Pairs: map[string][]against.Pair{
			against.Wall: paired(8, 1.2, 0.02), against.CPU: paired(8, 1.3, 0.02), against.RSS: paired(8, 1, 0.01),
		}})
	case "unmeasured":
		v.Kind, v.A.Name, v.B.Name, v.Unmeasured = against.Commands, "true", "false", "B failed in pair 3: exit status 1"
		err = against.JudgePairs(v, against.Commanded{Metric: against.Wall, Over: true})
	case "pairless": // no trial of B was believed
		v.Kind, v.Scenario, v.A.Name, v.B.Name = against.Revisions, "report", "main", "working tree"
		ran := against.Ran{Blocks: 2, Descriptors: 10, Over: true}
		for i := range 2 {
			b := trialOf(i, 80e6, 0)
			b.Outcome, b.Reason = results.OutcomeInvalid, "the mock upstream was too slow"
			ran.A, ran.B = append(ran.A, trialOf(i, 80e6, 0)), append(ran.B, b)
		}
		err = against.JudgeTrials(v, []string{"bounded-10"}, "items=200", ran)
	case "revisions":
		v.Kind, v.Scenario = against.Revisions, "report"
		v.A = against.Side{Name: "main~3", Revision: "0123456789abcdef"}
		v.B = against.Side{Name: "working tree", Revision: "fedcba9876543210", Modified: true}
		v.Environment = &results.Environment{Kind: "embedded", Database: "FerretDB", Upstream: "floodgate mock upstream"}
		v.Notes = []string{"floodgate is replaced by ../floodgate, outside of the repository: both sides are built with what is there now"}
		ran := against.Ran{Blocks: 8, Descriptors: 10}
		for i, p := range paired(8, 1.01, 0.02) {
			ran.A, ran.B = append(ran.A, trialOf(i, p.A, 0)), append(ran.B, trialOf(i, p.B, 0))
		}
		ran.B[7] = trialOf(7, 80e6, 1)
		err = against.JudgeTrials(v, []string{"bounded-10"}, "items=200", ran)
		if err == nil {
			err = v.Foresee(nil)
		}
	}
	if err == nil {
		err = v.Achieve()
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// trialOf is one that lost some documents.
func trialOf(block int, makespan float64, lost int) results.Trial {
	return results.Trial{
		Block: block, Variant: "bounded-10", LevelName: "items=200", Outcome: results.OutcomeOK, Makespan: time.Duration(makespan),
		Documents:   &results.Documents{Expected: 200, Found: 200 - lost, Lost: lost},
		Descriptors: results.Descriptors{Peak: 26, Samples: 9, Left: new(int)},
	}
}

func TestAgainst(t *testing.T) {
	for _, name := range []string{"commands", "unmeasured", "revisions", "pairless"} {
		v := versus(t, name)
		for _, width := range []int{80, 120} {
			var plain, coloured bytes.Buffer
			if err := report.Against(&plain, v, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			golden(t, fmt.Sprintf("against.%s.%d.txt", name, width), plain.Bytes())
			narrow(t, plain.String(), width)
			if err := report.Against(&coloured, v, text.Options{Width: width, Color: true}); err != nil || ansi.Strip(coloured.String()) != plain.String() {
				t.Errorf("%s: colours change the text: %v", name, err)
			}
		}
		j := report.AgainstJudgement(v)
		golden(t, "against."+name+".md", report.Comment(j))
		checkSARIF(t, report.SARIF(j))
		checkAnnotations(t, report.Annotations(j))
		checkMarkdown(t, report.Comment(j), report.MaxComment)
		if n := parseJUnit(t, report.JUnit(j)); (v.Exit == verdict.ExitPassed) != (n.Failures+n.Errors == 0) || v.Exit == verdict.ExitFailed && n.Failures == 0 || (name == "pairless") != (v.Exit == verdict.ExitNotMeasured && v.Unmeasured == "") {
			t.Errorf("%s: exit code %d, and %+v", name, v.Exit, n)
		}
		var doc bytes.Buffer
		if err := report.AgainstJSON(&doc, v); err != nil {
			t.Fatal(err)
		}
		var again against.Verdict
		if err := json.Unmarshal(doc.Bytes(), &again); err != nil {
			t.Fatal(err)
		}
		var words bytes.Buffer
		if err := report.Against(&words, &again, text.Options{}); err != nil {
			t.Fatal(err)
		}
		var first bytes.Buffer
		if err := report.Against(&first, v, text.Options{}); err != nil || words.String() != first.String() {
			t.Errorf("%s: what was stored reads otherwise: %v\n%s", name, err, words.String())
		}
	}
}

func TestSelfTest(t *testing.T) {
	s := &against.SelfTested{ID: "20261123-080000.000-abcdef", Time: 10 * time.Minute, Took: 601 * time.Second, Design: stats.DefaultLooks(), Blocks: 120, Machine: anyMachine, Unmeasured: 1}
	s.Design.Margin = 0.02
	found, missed := make([]bool, 120), make([]bool, 120)
	for i := range found {
		found[i] = true
	}
	if err := against.JudgeSelfTest(s, against.Tried{
		Pairs:   map[string][]against.Pair{against.Same: paired(120, 1, 0.05), against.Latency5: paired(120, 1.04, 0.05), against.Latency10: paired(7, 1.09, 0.05)},
		Counted: map[string][]bool{against.SameCounts: missed, against.Descriptors: found, against.LostWrite: append(missed[:1:1], found...)},
	}); err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if err := report.SelfTest(&plain, s, text.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	golden(t, "selftest.80.txt", plain.Bytes())
	narrow(t, plain.String(), 80)
}

func narrow(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.Lines(text) {
		if got := ansi.StringWidth(strings.TrimSuffix(line, "\n")); got > width {
			t.Errorf("%d columns of %d: %s", got, width, line)
		}
	}
}
