package html_test

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/compare"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/report/html"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
)

// verdicts caches the verdicts of runs, which take longer than pages.
var verdicts sync.Map

func page(t testing.TB, run *results.Run, o html.Options) string {
	t.Helper()
	v, ok := verdicts.Load(run)
	if !ok {
		judged, err := claims.Judge(run)
		if err != nil {
			t.Fatal(err)
		}
		v, _ = verdicts.LoadOrStore(run, judged)
	}
	var out bytes.Buffer
	if err := html.Run(&out, run, v.(*claims.Outcome), o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// other is a page that is not of a run, with the unaligned lines of a wide terminal for
// the same result.
type other struct {
	page     string
	terminal []string
}

// otherPages returns the pages of plans and of a comparison, which are made only once.
func otherPages(t *testing.T) map[string]other {
	t.Helper()
	made.Lock()
	defer made.Unlock()
	if made.pages != nil {
		return made.pages
	}
	all := map[string]other{}
	wide := text.Options{Width: 1000}
	add := func(name string, page, terminal func(io.Writer) error) {
		var out, text bytes.Buffer
		if err := page(&out); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := terminal(&text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = other{out.String(), unaligned(text.String())}
	}
	for name, plan := range reporttest.LimitPlans(t) {
		add("limits-"+name, func(w io.Writer) error { return html.Limits(w, plan) }, func(w io.Writer) error { return report.Limits(w, plan, wide) })
	}
	for name, plan := range reporttest.RatePlans() {
		add(name, func(w io.Writer) error { return html.Rates(w, plan) }, func(w io.Writer) error { return report.Rates(w, plan, wide) })
	}
	a, b := runtest.New(runtest.Options{Bare: true}), runtest.New(runtest.Options{Bare: true, Change: func(t *results.Trial) bool {
		t.Makespan += t.Makespan / 10
		return t.Block != 2 || t.Variant != "staged"
	}})
	compared, err := compare.Compare(a, b, compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	add("comparison", func(w io.Writer) error { return html.Comparison(w, compared) }, func(w io.Writer) error { return report.Comparison(w, compared, wide) })
	past := reporttest.Past()
	add("trend", func(w io.Writer) error { return html.Trend(w, past, html.TrendOptions{}) }, func(w io.Writer) error { return report.History(w, past, wide) })
	made.pages = all
	return all
}

// unaligned returns the lines of a text with single spaces between words.
func unaligned(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		all = append(all, strings.Join(strings.Fields(line), " "))
	}
	return all
}

var made struct {
	sync.Mutex
	pages map[string]other
}
