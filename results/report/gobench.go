package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"floodgate/results"
	"floodgate/results/summary"
	"floodgate/scenarios"
)

// GoBench writes the trials measured as the text of Go benchmarks, one line a
// trial, so that benchstat takes each trial as a sample:
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
			pairing := x.Pair(v.Name, x.Baseline(), l.Name)
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

// units of the benchmark lines, and which way is better.
func units() [][2]string {
	return [][2]string{
		{"p50-ns", "lower"}, {"p99-ns", "lower"}, {"peak-fds", "lower"},
		{"%reduction", "higher"}, {"%efficiency", "higher"}, {"errors", "lower"},
	}
}

// benchValues leaves out zero times too: the format gives 0 ns another unit.
func benchValues(t *results.Trial, pairing summary.Pairing) string {
	var b strings.Builder
	value := func(v float64, unit string) {
		fmt.Fprintf(&b, " %s %s", strconv.FormatFloat(v, 'f', -1, 64), unit)
	}
	value(float64(t.Makespan), "ns/op")
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
	if t.Ideal > 0 {
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

// benchNames are the paths of the variants' parameters, by variant.
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

// part is one "/key=value" of a name, in which slashes and spaces would end it.
func part(key, value string) string {
	clean := strings.NewReplacer("/", "_", " ", "_", "\t", "_", "\n", "_")
	return "/" + clean.Replace(key) + "=" + clean.Replace(value)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
