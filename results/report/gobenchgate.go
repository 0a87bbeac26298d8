package report

import (
	"fmt"
	"io"
	"math"
	"strings"

	"golang.org/x/perf/benchunit"

	"floodgate/results/gobench"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
)

// GoBenchVerdict writes a comparison of Go benchmarks for a person: a table a
// unit, what is missing, what the verdicts rest on, and the conclusion.
func GoBenchVerdict(w io.Writer, v *gobench.Verdict, o text.Options) error {
	p := &printer{Printer: text.NewPrinter(o, 80)}
	if len(v.Mixed) > 0 {
		p.Wrapped("", "MIXED ENVIRONMENTS, as --allow-mixed allowed: "+strings.Join(v.Mixed, "; "), bad)
	}
	p.Wrapped("", "old  "+v.Old, "")
	p.Wrapped("", "new  "+v.New, "")
	packages := manyPackages(v)
	for _, u := range v.Units {
		p.Line("")
		p.Wrapped("", unitLine(u), "")
		p.benchmarks(u, packages)
	}
	p.Line("")
	p.only("in the old file alone, so not judged: ", v.Missing, packages, doubt)
	p.only("in the new file alone, so not judged: ", v.Added, packages, faint)
	if len(v.Units) > 0 {
		p.Wrapped("", howJudged(v), faint)
		p.Line("")
	}
	p.benchConclusion(v, packages)
	return p.Flush(w, "verdict on benchmarks")
}

// GoBenchVerdictJSON writes the verdict with all its figures.
func GoBenchVerdictJSON(w io.Writer, v *gobench.Verdict) error {
	return writeJSON(w, v, "verdict on benchmarks")
}

func unitLine(u gobench.Unit) string {
	words := u.Unit + ": " + u.Better + " is better"
	if u.Better == "" {
		words = u.Unit + ": nothing says which way is better"
	}
	if u.Exact {
		words += ", exact"
	}
	return words
}

// benchmarks is the table of a unit. Names too long for it stand above their figures.
func (p *printer) benchmarks(u gobench.Unit, packages bool) {
	g := &text.Grid{Columns: []text.Column{
		{Title: "benchmark"},
		{Title: "old", Right: true}, {Title: "±", Right: true},
		{Title: "new", Right: true}, {Title: "±", Right: true},
		{Title: "delta", Right: true},
		{Title: "p", Right: true, Drop: 1}, {Title: "p (Holm)", Right: true},
		{Title: "n", Right: true},
		{Title: "verdict"},
	}}
	class := benchunit.ClassOf(u.Unit)
	var names []string
	for _, r := range u.Rows {
		names = append(names, benchmarkName(r.Package, r.Benchmark, packages))
		g.Add(names[len(names)-1], scaled(r.Old.Median, class), spread(r.Old, u.Exact), scaled(r.New.Median, class), spread(r.New, u.Exact),
			benchDelta(r), text.OrNone(r.P, probability), text.OrNone(r.Adjusted, probability), samples(r), p.word(r.Decision))
	}
	if m := u.GeoMean; m != nil && len(u.Rows) > 1 {
		names = append(names, "geomean")
		g.Add("geomean", scaled(m.Old, class), "", scaled(m.New, class), "", text.OrNone(m.Delta, signed), "", "", "", "")
	}
	dropped := g.Fit(p.Width)
	above := g.Width() > p.Width
	if above {
		for i := range g.Rows {
			g.Rows[i][0] = ""
		}
		g.Columns[0].Title = ""
		g.Columns[2].Drop, g.Columns[4].Drop = 1, 1
		dropped = append(dropped, g.Fit(p.Width)...)
	}
	widths := g.Widths()
	p.Titles(g, widths)
	for i, row := range g.Rows {
		if above {
			p.Wrapped("", names[i], "")
		}
		p.Line(g.Line(row, widths))
	}
	p.NotShown(dropped)
}

func benchmarkName(pkg, name string, packages bool) string {
	if packages && pkg != "" {
		return pkg + "." + name
	}
	return name
}

// manyPackages says whether names need their package's.
func manyPackages(v *gobench.Verdict) bool {
	seen := map[string]bool{}
	for _, u := range v.Units {
		for _, r := range u.Rows {
			seen[r.Package] = true
		}
	}
	for _, o := range append(v.Missing[:len(v.Missing):len(v.Missing)], v.Added...) {
		seen[o.Package] = true
	}
	return len(seen) > 1
}

// scaled writes a value with a prefix of its unit: "12.34m"; those that a table
// has no room for with an exponent.
func scaled(x float64, class benchunit.Class) string {
	if a := math.Abs(x); a != 0 && (a < 1e-12 || a >= 1e16) {
		return fmt.Sprintf("%.4g", x)
	}
	return benchunit.Scale(x, class)
}

// spread is how far the median's interval reaches, in percent: "3%".
func spread(s gobench.Sample, exact bool) string {
	switch {
	case exact:
		return ""
	case s.Low == nil || s.High == nil:
		return "∞"
	case *s.Low == *s.High:
		return "0%"
	case s.Median == 0 || math.Signbit(*s.Low) != math.Signbit(*s.High):
		return "?"
	}
	return brief(100*max(*s.High/s.Median-1, 1-*s.Low/s.Median, *s.Low/s.Median-1, 1-*s.High/s.Median), 0) + "%"
}

func signed(share float64) string {
	words := brief(100*share, 2)
	if share > 0 {
		words = "+" + words
	}
	return words + "%"
}

// brief writes numbers of many digits with an exponent.
func brief(x float64, decimals int) string {
	if math.Abs(x) >= 1e6 {
		return fmt.Sprintf("%.3g", x)
	}
	return fmt.Sprintf("%.*f", decimals, x)
}

// benchDelta is benchstat's: "~" where nothing is significant.
func benchDelta(r gobench.Row) string {
	switch {
	case r.Decision == verdict.Same && r.P != nil, r.Need > 0:
		return "~"
	case r.Delta == nil:
		return "?"
	}
	return signed(*r.Delta)
}

func probability(p float64) string {
	if p > 0 && p < 0.0005 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

func samples(r gobench.Row) string {
	if r.Old.N == r.New.N {
		return fmt.Sprint(r.Old.N)
	}
	return fmt.Sprintf("%d+%d", r.Old.N, r.New.N)
}

func (p *printer) only(what string, list []gobench.Only, packages bool, tone verdict.Tone) {
	if len(list) == 0 {
		return
	}
	names := make([]string, len(list))
	for i, o := range list {
		names[i] = benchmarkName(o.Package, o.Benchmark, packages) + " " + o.Unit
	}
	p.Wrapped("", what+strings.Join(names, ", "), tone)
}

// howJudged says what the verdicts mean.
func howJudged(v *gobench.Verdict) string {
	margin := "significantly, by however little (margin 0 %)"
	if v.Margin > 0 {
		margin = "significantly, and the median by more than " + trimmedPercent(v.Margin)
	}
	return fmt.Sprintf("Medians, ± their 95 %% intervals. Worse: %s. Significant: Mann-Whitney, p after Holm over %s at most %g.",
		margin, text.Plural(v.Tests, "test", "tests"), v.Alpha)
}

func trimmedPercent(share float64) string { return fmt.Sprintf("%.6g %%", 100*share) }

func (p *printer) benchConclusion(v *gobench.Verdict, packages bool) {
	few, need := 0, 0
	var why []string
	for _, u := range v.Units {
		for _, r := range u.Rows {
			switch {
			case r.Need > 0:
				few++
				need = max(need, r.Need)
			case r.Why != "":
				why = append(why, benchmarkName(r.Package, r.Benchmark, packages)+" "+u.Unit+": "+r.Why)
			}
		}
	}
	if few > 0 {
		p.Wrapped("", fmt.Sprintf("%s: too few samples for any difference to be significant; at least %d in each file (go test -count %d)",
			text.Plural(few, "comparison", "comparisons"), need, need), doubt)
	}
	for _, words := range append(why, v.ProcessorsDiffer()...) {
		p.Wrapped("", words, doubt)
	}
	p.Wrapped("", fmt.Sprintf("%s: %s (exit code %d)", p.concluded(v.Decision), benchSummary(v), v.Exit), verdict.Plain)
}

// benchSummary is "of 3 comparisons 1 worse, 2 same".
func benchSummary(v *gobench.Verdict) string {
	rows := 0
	for _, u := range v.Units {
		rows += len(u.Rows)
	}
	if rows == 0 {
		return "the files have no benchmark in common"
	}
	return fmt.Sprintf("of %s %s", text.Plural(rows, "comparison", "comparisons"), counted(v.Counts))
}
