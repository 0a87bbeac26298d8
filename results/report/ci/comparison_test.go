package ci_test

import (
	"bytes"
	"strings"
	"testing"

	"floodgate/results/compare"
	"floodgate/results/internal/runtest"
	"floodgate/results/report/ci"
	"floodgate/results/report/internal/reporttest"
	"floodgate/scenarios"
)

// Names from users are rendered as text, whatever they contain.
func TestMarkdownEscapes(t *testing.T) {
	variants := runtest.Variants()[:2]
	variants[1].Name = "a|b*c_<d>[e]"
	run := runtest.New(runtest.Options{Blocks: 6, Bare: true, Variants: variants, Levels: []scenarios.LevelSet{{"items": 20}}})
	var out bytes.Buffer
	if err := ci.ComparisonMarkdown(&out, reporttest.Compare(run, run)); err != nil {
		t.Fatal(err)
	}
	if want := `| a\|b\*c\_&lt;d&gt;\[e] |`; !strings.Contains(out.String(), want) {
		t.Errorf("no %s in\n%s", want, out.String())
	}
}

func TestComparisonMarkdown(t *testing.T) {
	for name, c := range reporttest.Comparisons() {
		reporttest.Golden(t, "comparison."+name+".md", comparisonMarkdown(t, c))
	}
	reporttest.Golden(t, "comparison.nothing.md", comparisonMarkdown(t, reporttest.NothingShared()))
}

func comparisonMarkdown(t *testing.T, c *compare.Comparison) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := ci.ComparisonMarkdown(&out, c); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
