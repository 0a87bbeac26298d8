package html_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/history"
	"floodgate/results/report/html"
	"floodgate/results/report/internal/reporttest"
)

func trendPage(t testing.TB, h *history.History, o html.TrendOptions) string {
	t.Helper()
	var out bytes.Buffer
	if err := html.Trend(&out, h, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTrend(t *testing.T) {
	page := trendPage(t, reporttest.Past(), html.TrendOptions{Data: "data/history.json", Page: func(run string) string {
		if strings.HasPrefix(run, "20261102") {
			return "" // its page is missing
		}
		return "runs/" + run + ".html"
	}})
	reporttest.Golden(t, "trend.html", []byte(page))
	if m := active.FindString(page); m != "" {
		t.Errorf("the page has %q", m)
	}
	for _, want := range []string{`href="runs/20261116-080000.000-a0000f.html"`, `href="#run-20261102-080000.000-a00001"`, "Not comparable with the first runs of this scenario: environment", "<li>20261101-000000.000-damaged: "} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if err := html.Trend(reporttest.FailingWriter{}, reporttest.Past(), html.TrendOptions{}); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

// recorded returns the history of runs with one makespan each.
func recorded(makespans []float64, change func(n int, e *history.Entry)) *history.History {
	var c history.Collector
	for n, v := range makespans {
		e := history.Entry{
			Schema: history.Schema, Scenario: "report", Design: "0123456789abcdef", Record: "00",
			Run:     history.Run{ID: fmt.Sprintf("run-%04d", n), Started: time.Date(2026, 1, 1+n, 8, 0, 0, 0, time.UTC), Revision: fmt.Sprintf("%040x", n)},
			Setting: results.Setting{Fingerprint: results.Fingerprint{CPU: "one", Cores: 2, GOMAXPROCS: 2}},
			Rows:    []history.Row{{Variant: "bounded-10", Level: "items=50", Values: map[string]history.Value{history.Makespan: {v}}}},
		}
		if change != nil {
			change(n, &e)
		}
		c.AddEntry(e)
	}
	return c.History(history.Options{})
}

// noisy returns n makespans around 200 ms, of which those from a run on are longer.
func noisy(seed uint64, n, from int, factor float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 17))
	all := make([]float64, n)
	for i := range all {
		all[i] = 2e8 * math.Exp(0.02*rng.NormFloat64())
		if i >= from {
			all[i] *= factor
		}
	}
	return all
}

var (
	listedChange = regexp.MustCompile(`<li data-change>`)
	markedChange = regexp.MustCompile(`<path class="reference[^"]*" d="M[0-9.]+ [0-9.]+V`)
)

// A step that was injected is listed and marked at its run, wherever it is; noise without
// one is marked about as rarely as the level says.
func TestTrendMarksInjectedChanges(t *testing.T) {
	for seed := range uint64(30) {
		n := 20 + int(seed*7)%140
		from := n - 6 - int(seed)%5
		page := trendPage(t, recorded(noisy(seed, n, from, 1.2), nil), html.TrendOptions{})
		if !strings.Contains(page, fmt.Sprintf(`, with <a href="#run-run-%04d">`, from)) || len(markedChange.FindAllString(page, -1)) == 0 {
			t.Errorf("%d runs, slower from run %d: %d changes listed, %d marked", n, from, len(listedChange.FindAllString(page, -1)), len(markedChange.FindAllString(page, -1)))
		}
	}
	found := 0
	for seed := range uint64(200) {
		page := trendPage(t, recorded(noisy(1000+seed, 30, 30, 1), nil), html.TrendOptions{})
		if listed, marked := len(listedChange.FindAllString(page, -1)), len(markedChange.FindAllString(page, -1)); listed != marked {
			t.Errorf("seed %d: %d changes listed, %d marked", seed, listed, marked)
		} else if listed > 0 {
			found++
		}
	}
	if found > 8 { // 2 expected; more than 8 have a probability of 1 in 4,000
		t.Errorf("changes in %d of 200 series of noise", found)
	}
}

// Runs that are not comparable are in charts of their own, so that no line joins them.
func TestTrendNeverJoinsIncomparableRuns(t *testing.T) {
	h := recorded(noisy(1, 24, 24, 1), func(n int, e *history.Entry) {
		if n%2 == 1 {
			e.Setting.Fingerprint.Cores = 64
		}
	})
	page := trendPage(t, h, html.TrendOptions{})
	charts := regexp.MustCompile(`(?s)<figure id.*?</figure>`).FindAllString(page, -1)
	if len(charts) != 2 || !strings.Contains(page, "Not comparable with the first runs of this scenario: cores 64 and 2.") {
		t.Fatalf("%d charts", len(charts))
	}
	for i, c := range charts {
		for n := range 24 {
			if has := strings.Contains(c, fmt.Sprintf("#run-run-%04d", n)); has != (n%2 == i) {
				t.Errorf("chart %d has run %d: %v", i, n, has)
			}
		}
	}
}

// Short histories are explained in one sentence.
func TestTrendOfFewRuns(t *testing.T) {
	broken := &history.History{Level: 0.01, Groups: []history.Group{}, Omitted: []history.Omitted{{Run: "x", Why: "run.jsonl:3: trial: the line ends early"}}}
	for name, test := range map[string]struct {
		h    *history.History
		want []string
	}{
		"none":    {recorded(nil, nil), []string{"<strong>no runs yet</strong>", "“floodgate run” stores one; a second run makes a trend."}},
		"damaged": {broken, []string{"<strong>no usable run</strong>", "<li>x: run.jsonl:3: trial: the line ends early</li>"}},
		"one":     {recorded(noisy(1, 1, 1, 1), nil), []string{"<strong>1 run</strong>", "1 run, no other run to compare it with.", `<tr id="run-run-0000">`}},
		"two":     {recorded(noisy(1, 2, 2, 1), nil), []string{"<strong>2 runs</strong>", "at least 10 are needed", "<svg"}},
		"same":    {recorded(make([]float64, 12), nil), []string{"<strong>no change found</strong>", " in all runs."}},
	} {
		page := trendPage(t, test.h, html.TrendOptions{})
		for _, want := range test.want {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page lacks %q", name, want)
			}
		}
	}
}

// The page of very many runs of many variants stays small, and tells what it omits.
func TestTrendSize(t *testing.T) {
	h := recorded(noisy(1, 400, 400, 1), func(n int, e *history.Entry) {
		of := e.Rows[0].Values[history.Makespan][0]
		e.Rows = nil
		for v := range 90 {
			rng := rand.New(rand.NewPCG(uint64(n), uint64(v)))
			one := of * (1 + 0.1*rng.Float64())
			e.Rows = append(e.Rows, history.Row{
				Variant: fmt.Sprintf("bounded-%d", v), Level: "items=50", Values: map[string]history.Value{history.Makespan: {one, one * 0.99, one * 1.01}},
			})
		}
	})
	page := trendPage(t, h, html.TrendOptions{})
	if len(page) > 2_200_000 {
		t.Errorf("%d bytes", len(page))
	}
	if !strings.Contains(page, "omitted for lack of space") {
		t.Error("the page does not tell that charts are omitted")
	}
}

// Names are rendered as text, whatever they contain.
func TestTrendHostileTexts(t *testing.T) {
	h := recorded(noisy(1, 12, 6, 2), func(_ int, e *history.Entry) {
		e.Scenario, e.Rows[0].Variant, e.Rows[0].Level, e.Run.Revision, e.Setting.Fingerprint.CPU = evil, evil, evil, evil, evil
	})
	h.Omitted = []history.Omitted{{Run: evil, Why: evil}}
	page := trendPage(t, h, html.TrendOptions{})
	for _, bad := range []string{"<script", "<img", "\u202e", "\u2066", "\x1b"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
}
