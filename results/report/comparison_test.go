package report_test

import (
	"bytes"
	"fmt"
	"testing"

	"floodgate/results"
	"floodgate/results/compare"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
)

func TestComparison(t *testing.T) {
	a, b := cases()["clean"], runtest.New(runtest.Options{Seed: 0, Bare: false, Claims: runtest.Claims(), Change: func(tr *results.Trial) bool {
		tr.Makespan += tr.Makespan / 20
		return tr.Variant != "batched"
	}})
	b.Header.ID += "-b"
	b.Header.Environment.Kind = "containers"
	c, err := compare.Compare(a, b, compare.Options{AllowMixed: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{80, 120} {
		var out bytes.Buffer
		if err := report.Comparison(&out, c, report.Options{Width: width}); err != nil {
			t.Fatal(err)
		}
		golden(t, fmt.Sprintf("comparison.%d.txt", width), out.Bytes())
	}
	var out bytes.Buffer
	if err := report.ComparisonJSON(&out, c); err != nil {
		t.Fatal(err)
	}
	golden(t, "comparison.json", out.Bytes())
}
