package report

import (
	"fmt"
	"io"
	"math"
	"strings"

	"golang.org/x/perf/benchunit"

	"floodgate/results/gobench"
	"floodgate/results/verdict"
)

// GoBenchVerdict writes a comparison of Go benchmarks for a person: a table a
// unit, what is missing, what the verdicts rest on, and the conclusion.
func GoBenchVerdict(w io.Writer, v *gobench.Verdict, o Options) error {
	if o.Width == 0 {
		o.Width = 100
	}
	p := &printer{width: max(o.Width, 80), color: o.Color}
	if len(v.Mixed) > 0 {
		p.wrapped("", "MIXED ENVIRONMENTS, as --allow-mixed allowed: "+strings.Join(v.Mixed, "; "), bad)
	}
	p.wrapped("", "old  "+v.Old, "")
	p.wrapped("", "new  "+v.New, "")
	packages := manyPackages(v)
	for _, u := range v.Units {
		p.line("")
		p.wrapped("", unitLine(u), "")
		p.benchmarks(u, packages)
	}
	p.line("")
	p.only("in the old file alone, so not judged: ", v.Missing, packages, doubt)
	p.only("in the new file alone, so not judged: ", v.Added, packages, faint)
	if len(v.Units) > 0 {
		p.wrapped("", howJudged(v), faint)
		p.line("")
	}
	p.benchConclusion(v, packages)
	if _, err := w.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("write verdict on benchmarks: %w", err)
	}
	return nil
}

// GoBenchVerdictJSON writes the verdict with all its figures.
func GoBenchVerdictJSON(w io.Writer, v *gobench.Verdict) error {
	return writeJSON(w, v, "verdict on benchmarks")
}

func unitLine(u gobench.Unit) string {
	text := u.Unit + ": " + u.Better + " is better"
	if u.Better == "" {
		text = u.Unit + ": nothing says which way is better"
	}
	if u.Exact {
		text += ", exact"
	}
	return text
}

// benchmarks is the table of a unit. Names too long for it stand above their figures.
func (p *printer) benchmarks(u gobench.Unit, packages bool) {
	g := &grid{columns: []column{
		{title: "benchmark"},
		{title: "old", right: true}, {title: "±", right: true},
		{title: "new", right: true}, {title: "±", right: true},
		{title: "delta", right: true},
		{title: "p", right: true, drop: 1}, {title: "p (Holm)", right: true},
		{title: "n", right: true},
		{title: "verdict"},
	}}
	class := benchunit.ClassOf(u.Unit)
	var names []string
	for _, r := range u.Rows {
		names = append(names, benchmarkName(r.Package, r.Benchmark, packages))
		g.add(names[len(names)-1], scaled(r.Old.Median, class), spread(r.Old, u.Exact), scaled(r.New.Median, class), spread(r.New, u.Exact),
			benchDelta(r), orNone(r.P, probability), orNone(r.Adjusted, probability), samples(r), p.word(r.Decision))
	}
	if m := u.GeoMean; m != nil && len(u.Rows) > 1 {
		names = append(names, "geomean")
		g.add("geomean", scaled(m.Old, class), "", scaled(m.New, class), "", orNone(m.Delta, signed), "", "", "", "")
	}
	dropped := g.fit(p.width)
	above := g.width() > p.width
	if above {
		for i := range g.rows {
			g.rows[i][0] = ""
		}
		g.columns[0].title = ""
		g.columns[2].drop, g.columns[4].drop = 1, 1
		dropped = append(dropped, g.fit(p.width)...)
	}
	widths := g.widths()
	p.line(p.paint(g.line(g.titles(), widths), faint))
	for i, row := range g.rows {
		if above {
			p.wrapped("", names[i], "")
		}
		p.line(g.line(row, widths))
	}
	if len(dropped) > 0 {
		p.wrapped("", "not shown, for want of width: "+strings.Join(dropped, ", "), faint)
	}
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
	text := brief(100*share, 2)
	if share > 0 {
		text = "+" + text
	}
	return text + "%"
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
	p.wrapped("", what+strings.Join(names, ", "), tone)
}

// howJudged says what the verdicts mean.
func howJudged(v *gobench.Verdict) string {
	margin := "significantly, by however little (margin 0 %)"
	if v.Margin > 0 {
		margin = "significantly, and the median by more than " + trimmedPercent(v.Margin)
	}
	return fmt.Sprintf("Medians, ± their 95 %% intervals. Worse: %s. Significant: Mann-Whitney, p after Holm over %s at most %g.",
		margin, plural(v.Tests, "test", "tests"), v.Alpha)
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
		p.wrapped("", fmt.Sprintf("%s: too few samples for any difference to be significant; at least %d in each file (go test -count %d)",
			plural(few, "comparison", "comparisons"), need, need), doubt)
	}
	for _, text := range append(why, v.ProcessorsDiffer()...) {
		p.wrapped("", text, doubt)
	}
	p.wrapped("", fmt.Sprintf("%s: %s (exit code %d)", p.concluded(v.Decision), benchSummary(v), v.Exit), "")
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
	return fmt.Sprintf("of %s %s", plural(rows, "comparison", "comparisons"), counted(v.Counts))
}
