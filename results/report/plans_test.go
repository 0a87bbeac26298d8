package report_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"floodgate/results/capacity"
	"floodgate/results/report"
	"floodgate/results/report/content"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/results/whatif"
)

func TestLimits(t *testing.T) {
	for name, plan := range reporttest.LimitPlans(t) {
		for _, width := range []int{80, 120} {
			var out bytes.Buffer
			if err := report.Limits(&out, plan, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			for l := range strings.Lines(out.String()) {
				if n := len([]rune(strings.TrimRight(l, "\n"))); n > width {
					t.Errorf("%s: %d columns of %d: %s", name, n, width, l)
				}
			}
			if width == 80 || name == "passed" {
				reporttest.Golden(t, "limits-"+name+"."+strconv.Itoa(width)+".txt", out.Bytes())
			}
		}
	}
}

// The JSON contains the whole plan, which prints the same.
func TestLimitsJSON(t *testing.T) {
	for name, plan := range reporttest.LimitPlans(t) {
		var out, first, again bytes.Buffer
		if err := report.LimitsJSON(&out, plan); err != nil {
			t.Fatal(err)
		}
		back, err := capacity.ReadLimits(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plan, back); diff != "" {
			t.Error(name, diff)
		}
		_, _ = report.Limits(&first, plan, text.Options{}), report.Limits(&again, back, text.Options{})
		if first.String() != again.String() {
			t.Errorf("%s: printed again:\n%s", name, &again)
		}
	}
}

// Every plan that can be read can be printed, at any width.
func FuzzLimits(f *testing.F) {
	for _, words := range []string{
		`{"kind": "limits"}`, `{"kind": "rates"}`, `{"kind": "limits", "adaptive": {}}`,
		`{"kind": "limits", "points": [{"limit": 1}], "recommendation": {"peak_limit": 1}}`,
		`{"kind": "limits", "points": [{"limit": 1, "throughput": {"estimate": 3}, "p99_ns": {"estimate": 5}}], "recommendation": {"peak_limit": 1, "limit": 1, "config": {}, "waiting": [{}]}}`,
		`{"kind": "limits", "points": [{"limit": 1, "throughput": {"estimate": -3e300}, "p99_ns": {}}], "model": {"peak": {}}, "recommendation": {"peak_limit": 1, "limit": 2}}`,
	} {
		f.Add([]byte(words))
	}
	f.Fuzz(func(t *testing.T, words []byte) {
		plan, err := capacity.ReadLimits(words)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := report.Limits(&out, plan, text.Options{Width: 80}); err != nil || !strings.Contains(out.String(), "exit code") {
			t.Errorf("%v\n%s", err, &out)
		}
		if err := report.LimitsJSON(&out, plan); err != nil {
			t.Error(err)
		}
	})
}

func TestRates(t *testing.T) {
	for name, plan := range reporttest.RatePlans() {
		for _, width := range []int{80, 120} {
			var out bytes.Buffer
			if err := report.Rates(&out, plan, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			for l := range strings.Lines(out.String()) {
				if n := len([]rune(strings.TrimRight(l, "\n"))); n > width {
					t.Errorf("%s: %d columns of %d: %s", name, n, width, l)
				}
			}
			reporttest.Golden(t, name+"."+strconv.Itoa(width)+".txt", out.Bytes())
		}
	}
}

// The JSON contains the whole plan.
func TestRatesJSON(t *testing.T) {
	var out bytes.Buffer
	if err := report.RatesJSON(&out, reporttest.EveryEnd()); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "rates.json", out.Bytes())
	var back capacity.Rates
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(reporttest.EveryEnd(), &back); diff != "" {
		t.Error(diff)
	}
}

func TestTried(t *testing.T) {
	p := capacity.Point{Rate: 8, Window: 5 * time.Second, Decision: verdict.Passed, Figures: capacity.Figures{P99: 210 * time.Millisecond}}
	if got := content.Tried(p); got != "8/s for 5 s: passed (p99 210 ms)" {
		t.Error(got)
	}
	p.Decision, p.Why, p.Window = verdict.Inconclusive, []string{"the generator was too slow"}, 1500*time.Millisecond
	if got := content.Tried(p); got != "8/s for 1.5 s: inconclusive (the generator was too slow)" {
		t.Error(got)
	}
}

func TestWhatIf(t *testing.T) {
	for name, a := range reporttest.Predictions() {
		for _, width := range []int{80, 120} {
			var out bytes.Buffer
			if err := report.WhatIf(&out, a, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			for l := range strings.Lines(out.String()) {
				if n := len([]rune(strings.TrimRight(l, "\n"))); n > width {
					t.Errorf("%d columns of %d: %s", n, width, l)
				}
			}
			reporttest.Golden(t, "whatif."+name+"."+strconv.Itoa(width)+".txt", out.Bytes())
		}
	}
}

// The JSON contains the whole answer.
func TestWhatIfJSON(t *testing.T) {
	var out bytes.Buffer
	if err := report.WhatIfJSON(&out, reporttest.PredictionOutOfRange()); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "whatif.json", out.Bytes())
	var back whatif.Answer
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(reporttest.PredictionOutOfRange(), &back, cmpopts.IgnoreUnexported(whatif.Prediction{}, whatif.Answer{})); diff != "" {
		t.Error(diff)
	}
}
