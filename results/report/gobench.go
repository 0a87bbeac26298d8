package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"golang.org/x/perf/benchunit"

	"floodgate/results"
	"floodgate/results/gobench"
	"floodgate/results/report/content"
	"floodgate/results/summary"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// GoBench writes the measured trials in the format of Go benchmarks, one line per
// trial, so that benchstat treats each trial as a sample:
//
//	BenchmarkPipeline/strategy=bounded/limit=10/items=200-2 1 123456789 ns/op 61000000 p99-ns …
//
// One operation is one batch. Names hold the strategy's parameters, then the
// level's factors; variants that would share a name get /variant= too. A value
// that is unavailable is left out. The conventions are those of
// golang.org/x/perf/benchfmt.
func GoBench(w io.Writer, run *results.Run) error {
	x, err := summary.NewIndex(run)
	if err != nil {
		return fmt.Errorf("write benchmarks: %w", err)
	}
	b := bufio.NewWriter(w)
	f := run.Header.Fingerprint
	fmt.Fprintf(b, "goos: %s\ngoarch: %s\npkg: floodgate/bench\ncpu: %s\n", f.OS, f.Arch, oneLine(f.CPU))
	fmt.Fprintf(b, "scenario: %s\nenvironment: %s\n", oneLine(run.Header.ScenarioName), oneLine(run.Header.Environment.Kind))
	for _, u := range units() {
		fmt.Fprintf(b, "Unit %s better=%s\n", u[0], u[1])
	}
	names := benchNames(x.Scenario.Variants)
	for _, v := range x.Scenario.Variants {
		for _, l := range x.LevelsOf(v.Name) {
			pairing := x.Pair(v.Name, x.Reference(), l.Name)
			for _, t := range x.Trials(v.Name, l.Name) {
				if t.Outcome == results.OutcomeOK {
					fmt.Fprintf(b, "BenchmarkPipeline%s%s-%d 1%s\n", names[v.Name], levelPath(l), max(cmp.Or(f.GOMAXPROCS, f.Cores), 1), benchValues(t, pairing))
				}
			}
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write benchmarks: %w", err)
	}
	return nil
}

// units lists the units of the benchmark lines and their better direction.
func units() [][2]string {
	return [][2]string{
		{"p50-ns", "lower"}, {"p99-ns", "lower"}, {"peak-fds", "lower"},
		{"%reduction", "higher"}, {"%efficiency", "higher"}, {"errors", "lower"},
	}
}

// benchValues omits times of zero, too, as the format gives 0 ns another unit.
func benchValues(t *results.Trial, pairing summary.Pairing) string {
	var b strings.Builder
	value := func(v float64, unit string) {
		fmt.Fprintf(&b, " %s %s", strconv.FormatFloat(v, 'f', -1, 64), unit)
	}
	if !t.Apart() {
		value(float64(t.Makespan), "ns/op")
	}
	if item := t.Stages["item"]; item.Count > 0 && item.P50 > 0 {
		value(float64(item.P50), "p50-ns")
		value(float64(item.P99), "p99-ns")
	}
	if peak, ok := t.Descriptors.Highest(); ok {
		value(float64(peak), "peak-fds")
	}
	if r, ok := pairing.LogRatios[t.Block]; ok && r != 0 {
		value(round(100*(1-math.Exp(r))), "%reduction")
	}
	if t.Ideal > 0 && !t.Apart() {
		value(round(100*float64(t.Ideal)/float64(t.Makespan)), "%efficiency")
	}
	errs := 0
	for _, e := range t.Errors {
		errs += e.Count
	}
	value(float64(errs), "errors")
	return b.String()
}

func round(v float64) float64 { return math.Round(v*1e4) / 1e4 }

// benchNames returns the benchmark names of the variants' parameters, by variant.
func benchNames(variants []scenarios.Variant) map[string]string {
	names, uses := make(map[string]string), make(map[string]int)
	for _, v := range variants {
		names[v.Name] = parameters(v)
		uses[names[v.Name]]++
	}
	for _, v := range variants {
		if uses[names[v.Name]] > 1 {
			names[v.Name] += part("variant", v.Name)
		}
	}
	return names
}

func parameters(v scenarios.Variant) string {
	path := part("strategy", string(v.Strategy))
	for _, p := range []struct {
		key   string
		value int
	}{{"limit", v.Limit}, {"writers", v.Writers}, {"queue", v.Queue}, {"batch", v.Batch}} {
		if p.value != 0 {
			path += part(p.key, strconv.Itoa(p.value))
		}
	}
	if v.Linger != 0 {
		path += part("linger", v.Linger.String())
	}
	return path
}

func levelPath(l scenarios.Level) string {
	var path string
	for _, f := range strings.Fields(l.Name) {
		key, value, _ := strings.Cut(f, "=")
		path += part(key, value)
	}
	return path
}

// part returns one "/key=value" of a name, without slashes and spaces, which would
// end it.
func part(key, value string) string {
	clean := strings.NewReplacer("/", "_", " ", "_", "\t", "_", "\n", "_")
	return "/" + clean.Replace(key) + "=" + clean.Replace(value)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// GoBenchVerdict writes a comparison of Go benchmarks for a terminal: a table per
// unit, missing benchmarks, the method, and the conclusion.
func GoBenchVerdict(w io.Writer, v *gobench.Outcome, o text.Options) error {
	p := newPrinter(o)
	if len(v.Mixed) > 0 {
		p.Wrapped("", "MIXED ENVIRONMENTS (--allow-mixed): "+strings.Join(v.Mixed, "; "), verdict.Bad)
	}
	p.Wrapped("", "old  "+v.Old, "")
	p.Wrapped("", "new  "+v.New, "")
	packages := content.SeveralPackages(v)
	for _, u := range v.Units {
		p.Line("")
		p.Wrapped("", unitLine(v, u), "")
		p.benchmarks(u, packages)
	}
	p.Line("")
	p.only("only in the old file, not judged: ", v.Missing, packages, verdict.Doubt)
	p.only("only in the new file, not judged: ", v.Added, packages, verdict.Faint)
	if len(v.Units) > 0 {
		p.Wrapped("", content.GoBenchMethod(v), verdict.Faint)
		p.Line("")
	}
	for _, note := range v.Notes {
		p.Wrapped("", "note: "+note, verdict.Doubt)
	}
	p.benchConclusion(v, packages)
	return p.Flush(w, "verdict on benchmarks")
}

// GoBenchVerdictJSON writes the verdict with all its figures.
func GoBenchVerdictJSON(w io.Writer, v *gobench.Outcome) error {
	return content.WriteJSON(w, v, "verdict on benchmarks")
}

func unitLine(v *gobench.Outcome, u gobench.Unit) string {
	words := u.Unit + ": " + u.Better + " is better"
	if u.Better == "" {
		words = u.Unit + ": direction unknown"
	}
	if u.Exact {
		words += ", exact"
	}
	if margin := content.GoBenchMargin(v, u); margin != "" {
		words += ", margin " + margin
	}
	return words
}

// benchmarks writes the table of a unit. Names that are too long have lines of their
// own above their figures.
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
		names = append(names, content.BenchmarkName(r.Package, r.Benchmark, packages))
		g.Add(names[len(names)-1], content.BenchmarkValue(r.Old.Median, class), spread(r.Old, u.Exact), content.BenchmarkValue(r.New.Median, class), spread(r.New, u.Exact),
			content.BenchmarkDelta(r), text.OrNone(r.P, content.PValue), text.OrNone(r.Adjusted, content.PValue), content.BenchmarkSamples(r), p.word(r.Decision))
	}
	if m := u.GeoMean; m != nil && len(u.Rows) > 1 {
		names = append(names, "geomean")
		g.Add("geomean", content.BenchmarkValue(m.Old, class), "", content.BenchmarkValue(m.New, class), "", text.OrNone(m.Delta, content.SignedPercent), "", "", "", "")
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

// spread returns the half-width of the median's interval: "3%".
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
	return content.Brief(100*max(*s.High/s.Median-1, 1-*s.Low/s.Median, *s.Low/s.Median-1, 1-*s.High/s.Median), 0) + "%"
}

func (p *printer) only(what string, list []gobench.Only, packages bool, tone verdict.Tone) {
	if len(list) == 0 {
		return
	}
	names := make([]string, len(list))
	for i, o := range list {
		names[i] = content.BenchmarkName(o.Package, o.Benchmark, packages) + " " + o.Unit
	}
	p.Wrapped("", what+strings.Join(names, ", "), tone)
}

func (p *printer) benchConclusion(v *gobench.Outcome, packages bool) {
	few, need := 0, 0
	var why []string
	for _, u := range v.Units {
		for _, r := range u.Rows {
			switch {
			case r.Need > 0:
				few++
				need = max(need, r.Need)
			case r.Why != "":
				why = append(why, content.BenchmarkName(r.Package, r.Benchmark, packages)+" "+u.Unit+": "+r.Why)
			}
		}
	}
	if few > 0 {
		p.Wrapped("", fmt.Sprintf("%s: too few samples for any difference to be significant; at least %d in each file (go test -count %d)",
			text.Plural(few, "comparison", "comparisons"), need, need), verdict.Doubt)
	}
	for _, words := range append(why, v.ProcessorsDiffer()...) {
		p.Wrapped("", words, verdict.Doubt)
	}
	p.Wrapped("", fmt.Sprintf("%s: %s (exit code %d)", p.concluded(v.Decision), content.GoBenchSummary(v), v.Exit), verdict.Plain)
}
