package gobench_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/results/gobench"
	"floodgate/results/verdict"
)

// bench returns n result lines of a benchmark around a value.
func bench(name, unit string, center float64, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Benchmark%s-2 100 %g %s\n", name, center*(1+0.001*float64(i)), unit)
	}
	return b.String()
}

func judge(older, newer string, o gobench.Options) (*gobench.Outcome, error) {
	if o.Alpha == 0 {
		o.Alpha = 0.05
	}
	if o.Margin == nil {
		o.Margin = new(0.0)
	}
	return gobench.Judge(gobench.Input{Name: "old.txt", Reader: strings.NewReader(older)}, gobench.Input{Name: "new.txt", Reader: strings.NewReader(newer)}, o)
}

func TestVerdicts(t *testing.T) {
	lower, higher, exact := "Unit x better=lower\n", "Unit x better=higher\n", "Unit x better=lower assume=exact\n"
	for name, c := range map[string]struct {
		older, newer string
		o            gobench.Options
		verdict      verdict.Word
		exit         int
	}{
		"slower":                {bench("A", "ns/op", 100, 6), bench("A", "ns/op", 110, 6), gobench.Options{}, verdict.Worse, 1},
		"faster":                {bench("A", "ns/op", 110, 6), bench("A", "ns/op", 100, 6), gobench.Options{}, verdict.Better, 0},
		"the same":              {bench("A", "ns/op", 100, 6), bench("A", "ns/op", 100, 6), gobench.Options{}, verdict.Same, 0},
		"all equal":             {strings.Repeat("BenchmarkA 1 3 allocs/op\n", 6), strings.Repeat("BenchmarkA 1 3 allocs/op\n", 6), gobench.Options{}, verdict.Same, 0},
		"more throughput":       {bench("A", "MB/s", 100, 6), bench("A", "MB/s", 110, 6), gobench.Options{}, verdict.Better, 0},
		"less throughput":       {bench("A", "MB/s", 110, 6), bench("A", "MB/s", 100, 6), gobench.Options{}, verdict.Worse, 1},
		"more bytes":            {bench("A", "B/op", 100, 6), bench("A", "B/op", 110, 6), gobench.Options{}, verdict.Worse, 1},
		"more allocations":      {bench("A", "allocs/op", 100, 6), bench("A", "allocs/op", 110, 6), gobench.Options{}, verdict.Worse, 1},
		"first allocation":      {strings.Repeat("BenchmarkA 1 0 allocs/op\n", 6), strings.Repeat("BenchmarkA 1 1 allocs/op\n", 6), gobench.Options{Margin: new(0.5)}, verdict.Worse, 1},
		"unit, lower":           {lower + bench("A", "x", 100, 6), bench("A", "x", 110, 6), gobench.Options{}, verdict.Worse, 1},
		"unit, higher":          {bench("A", "x", 100, 6), higher + bench("A", "x", 110, 6), gobench.Options{}, verdict.Better, 0},
		"unit against default":  {"Unit ns/op better=higher\n" + bench("A", "ns/op", 100, 6), bench("A", "ns/op", 110, 6), gobench.Options{}, verdict.Better, 0},
		"unit unknown":          {bench("A", "x", 100, 6), bench("A", "x", 110, 6), gobench.Options{}, verdict.Undecided, 3},
		"unit unknown, same":    {bench("A", "x", 100, 6), bench("A", "x", 100, 6), gobench.Options{}, verdict.Same, 0},
		"below zero":            {higher + bench("A", "x", -100, 6), bench("A", "x", -110, 6), gobench.Options{Margin: new(0.05)}, verdict.Worse, 1},
		"within margin":         {bench("A", "ns/op", 100, 6), bench("A", "ns/op", 110, 6), gobench.Options{Margin: new(0.11)}, verdict.WithinMargin, 0},
		"beyond margin":         {bench("A", "ns/op", 100, 6), bench("A", "ns/op", 110, 6), gobench.Options{Margin: new(0.09)}, verdict.Worse, 1},
		"within margin, higher": {bench("A", "MB/s", 100, 6), bench("A", "MB/s", 90, 6), gobench.Options{Margin: new(0.11)}, verdict.WithinMargin, 0},
		"three samples":         {bench("A", "ns/op", 100, 3), bench("A", "ns/op", 900, 3), gobench.Options{}, verdict.Undecided, 3},
		"four samples":          {bench("A", "ns/op", 100, 4), bench("A", "ns/op", 900, 4), gobench.Options{}, verdict.Worse, 1},
		"four, alpha 1 %":       {bench("A", "ns/op", 100, 4), bench("A", "ns/op", 900, 4), gobench.Options{Alpha: 0.01}, verdict.Undecided, 3},
		"one sample":            {bench("A", "ns/op", 100, 1), bench("A", "ns/op", 100, 1), gobench.Options{}, verdict.Undecided, 3},
		"exact":                 {exact + bench("A", "x", 100, 1), bench("A", "x", 101, 1), gobench.Options{}, verdict.Worse, 1},
		"exact, the same":       {exact + bench("A", "x", 100, 1), bench("A", "x", 100, 1), gobench.Options{}, verdict.Same, 0},
		"exact, but is not":     {exact + bench("A", "x", 100, 3), bench("A", "x", 100, 1), gobench.Options{}, verdict.Undecided, 3},
	} {
		v, err := judge(c.older, c.newer, c.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if row := v.Units[0].Rows[0]; row.Decision != c.verdict || v.Exit != c.exit || v.Counts[c.verdict] != 1 {
			t.Errorf("%s: %s, exit code %d, want %s, %d: %+v", name, row.Decision, v.Exit, c.verdict, c.exit, row)
		}
	}
}

// More comparisons need more samples, as the verdict says; that many suffice.
func TestNeed(t *testing.T) {
	set := func(worse float64, n int) string {
		var b strings.Builder
		for i := range 20 {
			center := 100.0
			if i == 0 {
				center = worse
			}
			b.WriteString(bench(fmt.Sprint("B", i), "ns/op", center, n))
		}
		return b.String()
	}
	v, err := judge(set(100, 5), set(200, 5), gobench.Options{})
	if err != nil {
		t.Fatal(err)
	}
	row := v.Units[0].Rows[0]
	if v.Exit != verdict.ExitInconclusive || row.Need != 6 || v.Tests != 20 || v.Counts[verdict.Undecided] != 20 {
		t.Fatalf("exit code %d, %v: %+v", v.Exit, v.Counts, row)
	}
	if v, err = judge(set(100, row.Need), set(200, row.Need), gobench.Options{}); err != nil || v.Exit != verdict.ExitFailed || v.Counts[verdict.Worse] != 1 {
		t.Errorf("with %d each: %+v, %v", row.Need, v, err)
	}
}

// In a file whose values differ only by chance, a difference is found about as rarely as
// alpha says; without the correction it would be found more often.
func TestHolmKeepsAlpha(t *testing.T) {
	const files, benches = 200, 20
	differ, uncorrected := 0, 0
	next := lcg(1)
	for range files {
		var older, newer strings.Builder
		for b := range benches {
			for range 8 {
				fmt.Fprintf(&older, "BenchmarkB%d 1 %g ns/op\n", b, 1+next())
				fmt.Fprintf(&newer, "BenchmarkB%d 1 %g ns/op\n", b, 1+next())
			}
		}
		v, err := judge(older.String(), newer.String(), gobench.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if v.Counts[verdict.Same] < benches {
			differ++
		}
		for _, r := range v.Units[0].Rows {
			if *r.P <= 0.05 {
				uncorrected++
				break
			}
		}
	}
	if share := float64(differ) / files; share > 0.1 {
		t.Errorf("%v of files without a difference have one", share)
	}
	if share := float64(uncorrected) / files; share < 0.3 {
		t.Errorf("without the correction %v have: this test could not fail", share)
	}
}

// lcg returns a deterministic generator of numbers from 0 to 1.
func lcg(state uint64) func() float64 {
	return func() float64 {
		state = state*6364136223846793005 + 1442695040888963407
		return float64(state>>11) / (1 << 53)
	}
}

func TestPackagesAndTables(t *testing.T) {
	older := "pkg: a\n" + bench("X", "ns/op", 100, 6) + "pkg: b\n" + bench("X", "ns/op", 400, 6)
	newer := "pkg: b\n" + bench("X", "ns/op", 400, 6) + "pkg: a\n" + bench("X", "ns/op", 200, 6)
	v, err := judge(older, newer, gobench.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, mean := v.Units[0].Rows, v.Units[0].GeoMean
	if len(rows) != 2 || rows[0].Package != "a" || rows[0].Decision != verdict.Worse || rows[1].Decision != verdict.Same {
		t.Errorf("%+v", rows)
	}
	if math.Abs(*mean.Delta-(math.Sqrt2-1)) > 1e-9 || math.Abs(*rows[0].Delta-1) > 1e-9 {
		t.Errorf("geomean %v, delta %v", *mean.Delta, *rows[0].Delta)
	}
}

func TestMissingAndMixed(t *testing.T) {
	older := "cpu: A\n" + bench("X", "ns/op", 100, 6) + bench("Y", "ns/op", 100, 6)
	newer := "cpu: B\n" + bench("X", "ns/op", 100, 6) + bench("Z", "ns/op", 100, 6)
	_, err := judge(older, newer, gobench.Options{})
	want := "new.txt:2:1: measured in a different environment than at old.txt:2: cpu \"A\" and \"B\"; measure both in the same environment, or compare them anyway with --allow-mixed\n" +
		"old.txt:8:1: benchmark Y-2 is missing in new.txt; run the same benchmarks for both files, or compare only the common ones with --allow-missing"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
	v, err := judge(older, newer, gobench.Options{AllowMissing: true, AllowMixed: true})
	if err != nil || len(v.Missing) != 1 || len(v.Added) != 1 || len(v.Mixed) != 1 || v.Exit != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err = judge(bench("X", "ns/op", 1, 6), bench("Y", "ns/op", 1, 6), gobench.Options{AllowMissing: true}); err != nil || v.Exit != verdict.ExitNotMeasured {
		t.Errorf("nothing in common: %+v, %v", v, err)
	}
	_, err = judge("BenchmarkX 1 2 ns/op 3 B/op\n", "BenchmarkX 1 2 ns/op\n", gobench.Options{})
	if err == nil || !strings.Contains(err.Error(), "old.txt:1:1: B/op of benchmark X is missing in new.txt") {
		t.Error(err)
	}
}

// The error about a mistake has its position and the valid values.
func TestInputErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                                               "1:1: the file is empty; pass what go test -bench printed",
		" \n\t\n":                                                        "1:1: the file is empty",
		"hello\nworld\n":                                                 "1:1: the file has no benchmark result; pass",
		"PASS\nBenchmarkX\n":                                             "1:1: the file has no benchmark result",
		`{"Action":"start"}`:                                             "1:1: the file has no benchmark result; run go test without -json",
		"\xef\xbb\xbfBenchmarkX":                                         "1:1: the file begins with a byte-order mark",
		"\xff\xfeB\x00":                                                  "1:1: the file begins with a byte-order mark",
		"BenchmarkX 1 NaN ns/op":                                         `1:14: a value must be a finite number (got "NaN")`,
		"\nBenchmarkX 1 5 ns/op -Inf x":                                  `2:22: a value must be a finite number (got "-Inf")`,
		"BenchmarkX 1 1e999 ns/op":                                       `1:14: a value must be a finite number (got "1e999")`,
		"BenchmarkX 1 1e305 MB/s":                                        `1:14: a value must be a finite number (got "1e305")`,
		"BenchmarkX 1 -5 ns/op":                                          `1:14: a value of ns/op must be at least 0 (got "-5")`,
		"BenchmarkX 0 5 ns/op":                                           `1:12: the iteration count must be an integer of at least 1 (got "0")`,
		"BenchmarkX -1 5 ns/op":                                          `1:12: the iteration count must be an integer of at least 1 (got "-1")`,
		"BenchmarkX 1.5 5 ns/op":                                         `1:12: the iteration count must be an integer of at least 1 (got "1.5")`,
		"BenchmarkX 99999999999999999999 5 ns/op":                        `1:12: the iteration count must be an integer of at least 1 (got "9999`,
		"BenchmarkX-8 \t":                                                `1:15: the result of "BenchmarkX-8" is missing: the benchmark did not end, or log output`,
		"BenchmarkX 1":                                                   "1:13: the measurement lacks a value and its unit",
		"BenchmarkX 1 5":                                                 `1:15: value "5" has no unit`,
		"BenchmarkX 1 5 ns/op 6":                                         `1:23: value "6" has no unit`,
		"BenchmarkX 1 5 ns/op 16 B/o":                                    "1:28: the file ends within a measurement",
		"BenchmarkX 1 5 ns/op":                                           "1:21: the file ends within a measurement",
		"BenchmarkX 1 five ns/op":                                        `1:14: a value must be a finite number (got "five")`,
		"BenchmarkÄÄ 1 five ns/op":                                       `1:15: a value must be a finite number (got "five")`,
		"BenchmarkX 1 5 ns/op 6 ns/op":                                   `1:24: units "ns/op" and "ns/op"`,
		"BenchmarkX 1 5 ns/op 6 sec/op":                                  `1:24: units "sec/op" and "ns/op" are the same; report each unit once`,
		"BenchmarkX\x1b[2J 1 5 ns/op":                                    "1:11: the name must consist of printable",
		"BenchmarkX\xff 1 5 ns/op":                                       "1:11: the name must consist of printable",
		"BenchmarkX 1 5 n\x00s":                                          "1:17: the unit must consist of printable",
		"Unit x better=lower\nUnit x better=higher":                      `2:8: unit "x" has "better=higher" here, but better=lower at old.txt:1; give the unit one meaning`,
		"Unit ns better=lower\nUnit sec better=higher":                   `2:10: unit "sec" has`,
		"Unit x better=sideways":                                         `1:8: better must be lower or higher (got "sideways")`,
		"Unit x assume=much":                                             `1:8: assume must be nothing or exact (got "much")`,
		"Unit x =y better=lower":                                         `1:8: "=y" is not a setting of a unit; write key=value`,
		"Unit x better=lower please":                                     `1:21: "please" is not a setting of a unit`,
		"BenchmarkX 1 5 ns/op\n--- FAIL: BenchmarkY":                     `2:1: the run failed: "--- FAIL: BenchmarkY"`,
		"BenchmarkX 1 5 ns/op\nFAIL\tp\t0.1s":                            "2:1: the run failed",
		"BenchmarkX 1 5 ns/op\nFAIL":                                     "2:1: the run failed",
		"BenchmarkX-8 \t--- FAIL: BenchmarkX-8\n":                        `1:15: the run failed: "--- FAIL: BenchmarkX-8"; use the output of a run in which all passed`,
		"BenchmarkX 1 5 " + strings.Repeat("x", 1<<16) + "\n":            "1:1: a measurement must have at most 65534 bytes (got 65551)",
		"BenchmarkX-2\t1 5     1000\t      2405 ns/op\n":                 `1:22: a unit must not be a number (got "1000"): log output was probably written`,
		"BenchmarkX-2 \tcache warmed\n    1000\t      2405 ns/op\n":      `1:15: the result of "BenchmarkX-2" is lost: log output was written between the name and the result, which is on line 2; send the log output elsewhere, or run go test with -v`,
		"BenchmarkX-2 \ta\nb\nc    1000\t     5 x\n":                     `1:15: the result of "BenchmarkX-2" is lost: log output was written between the name and the result, which is on line 3`,
		"BenchmarkX-2 \t\n    1000\t      2405 ns/op\n":                  `1:15: the result of "BenchmarkX-2" is lost`,
		"BenchmarkX-2 \twarmed    1000\t      2405 ns/op\n":              `1:15: the result of "BenchmarkX-2" is lost: log output was written between the name and the result; send`,
		"BenchmarkX-2   warmed\n    1000\t      2405 ns/op\n":            `1:16: the result of "BenchmarkX-2" is lost`,
		"BenchmarkX-2 \tcache warmed\nBenchmarkX-2 1 5 ns/op\n":          `1:15: the result of "BenchmarkX-2" is missing`,
		"BenchmarkX-2 \tcache warmed\nPASS\n":                            `1:15: the result of "BenchmarkX-2" is missing`,
		"warming up BenchmarkX-2 \t    1000\t      2405 ns/op\n":         "1:12: log output precedes this benchmark's name, so its result is lost; end the log output with a newline",
		"BenchmarkX-2 1 5 ns/op\n    1000\t      2405 ns/op\n":           "2:1: this result has no benchmark name before it",
		"BenchmarkX-2 \t" + strings.Repeat("x", 1<<17) + "\n  1\t 1 x\n": `1:15: the result of "BenchmarkX-2" is lost`,
	} {
		_, err := judge(text, text, gobench.Options{})
		var one *gobench.InputError
		if err == nil || !strings.HasPrefix(err.Error(), "old.txt:"+want) || !errors.As(err, &one) {
			t.Errorf("%q: %v, want old.txt:%s", text, err, want)
		}
	}
	_, err := judge("Unit x better=lower\nBenchmarkX 1 1 x\n", "Unit x better=higher\nBenchmarkX 1 1 x\n", gobench.Options{})
	if err == nil || !strings.HasPrefix(err.Error(), `new.txt:1:8: unit "x" has "better=higher" here, but better=lower at old.txt:1`) {
		t.Error(err)
	}
	_, err = judge(strings.Repeat("BenchmarkX 0 1 x\n", 50), "", gobench.Options{})
	if err == nil || strings.Count(err.Error(), "\n") != 20 || !strings.HasSuffix(err.Error(), "and 31 more") {
		t.Error(err)
	}
}

// Log output between results is ignored, whatever it looks like.
func TestLogLinesAreIgnored(t *testing.T) {
	lines := strings.SplitAfter("goos: linux\npkg: p\ncpu: A\n"+bench("X", "ns/op", 100, 6)+bench("Y/a=ü-2", "fds", 5, 6)+"PASS\nok  \tp\t1.2s\n", "\n")
	plain := strings.Join(lines, "")
	want, err := judge(plain, plain, gobench.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range []string{
		"Unit tests of the renderer took 3s", "Unit", "Unit x", "Unit test took=3s", "Unit total = 5", "Unit x better",
		"dump: " + strings.Repeat("x", 70_000), strings.Repeat("x", 1<<17), "Unit " + strings.Repeat("better=lower", 1<<13),
		"Benchmark results follow", "Benchmark 5 started", "Benchmark 1: sleep 1", "Benchmark\tTime", "Benchmarking took 3 s", "BenchmarkX finished",
		"Benchmarks\tare slow", "BenchmarkX-2 ", "BenchmarkX-2",
		"pkg: loaded 5 plugins", "goos: not an operating system", "pkg:", "cpu:93%", "cpu: A", "commit: 0123", "key value", "Goos: x",
		"    100\t 5 apples", "  1000\t  2405 nanoseconds", "    x_test.go:1: BenchmarkX-2 \t 1000\t  2405 ns/op", "--- BENCH: BenchmarkX-2",
		"2026/01/02 03:04:05 cache warmed", "\xff\x00\x1b[2J", "\u2028", "", "?   \tp\t[no test files]", "failed to FAIL", "\r50%\r100%",
	} {
		for i := range lines {
			noisy := strings.Join(lines[:i], "") + log + "\n" + strings.Join(lines[i:], "")
			got, err := judge(plain, noisy, gobench.Options{})
			if err != nil {
				t.Errorf("%.60q before line %d: %v", log, i+1, err)
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%.60q before line %d: %s", log, i+1, diff)
			}
		}
	}
}

// A line that may be a changed setting is reported at its own position, not at that of
// the next result.
func TestSettingsBetweenResults(t *testing.T) {
	head := "goos: linux\npkg: p\ncpu: A\n"
	plain := head + bench("X", "ns/op", 100, 6) + bench("Y", "ns/op", 100, 6)
	stray := head + bench("X", "ns/op", 100, 6) + "cpu: 93% busy\n" + bench("Y", "ns/op", 100, 6)
	const want = `:10:1: "cpu: 93% busy" is between results and changes the cpu of those below it; if it is log output, send it elsewhere; if they were measured in a different environment, use --allow-mixed`
	if _, err := judge(plain, stray, gobench.Options{}); err == nil || err.Error() != "new.txt"+want {
		t.Error(err)
	}
	if _, err := judge(stray, plain, gobench.Options{}); err == nil || err.Error() != "old.txt"+want {
		t.Error(err)
	}
	if v, err := judge(plain, stray, gobench.Options{AllowMixed: true}); err != nil || len(v.Mixed) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	// So is a line that would assign the following benchmarks to another package.
	other := strings.Replace(stray, "cpu: 93% busy", "pkg: x", 1)
	if _, err := judge(plain, other, gobench.Options{}); err == nil || !strings.HasPrefix(err.Error(), `new.txt:10:1: "pkg: x" is between results, and old.txt does not have this package; if it is log output, `) {
		t.Error(err)
	}
	if _, err := judge(other, other, gobench.Options{}); err != nil {
		t.Error(err)
	}
	// The lines that go test prints before the results of another package are not log
	// output.
	older := head + bench("X", "ns/op", 100, 6) + "PASS\nok  \tp\t1s\ngoos: linux\npkg: q\ncpu: A\n" + bench("X", "ns/op", 100, 6)
	newer := strings.Replace(older, "pkg: q\ncpu: A", "pkg: q\ncpu: B", 1)
	if _, err := judge(older, newer, gobench.Options{}); err == nil || !strings.HasPrefix(err.Error(), `new.txt:15:1: measured in a different environment than at old.txt:15: cpu "A" and "B"`) {
		t.Error(err)
	}
}

// Benchmarks whose names differ only in GOMAXPROCS are not missing, and a comparison of
// nothing does not pass.
func TestProcessors(t *testing.T) {
	with := func(procs string, names ...string) string {
		var b strings.Builder
		b.WriteString("pkg: p\n")
		for _, name := range names {
			for _, suffix := range strings.Fields(procs) {
				b.WriteString(strings.ReplaceAll(bench(name, "ns/op", 100, 6), name+"-2", name+strings.TrimSuffix("-"+suffix, "-1")))
			}
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		older, newer, want string
		entries, exit      int
	}{
		"8 and 2": {with("8", "X", "Y", "Z/n=5"), with("2", "X", "Y", "Z/n=5"),
			"old.txt:2:1: only the number of processors differs: X and 2 more were measured with GOMAXPROCS=8 in old.txt, but with GOMAXPROCS=2 in new.txt; run both with the same GOMAXPROCS, such as go test -cpu 8", 3, verdict.ExitNotMeasured},
		"1 and 4": {with("1", "X"), with("4", "X"),
			"old.txt:2:1: only the number of processors differs: X was measured with GOMAXPROCS=1 in old.txt, but with GOMAXPROCS=4 in new.txt; run both", 1, verdict.ExitNotMeasured},
		"1,2 and 4,8": {with("1 2", "X", "Y"), with("4 8", "X", "Y"), "old.txt:2:1: only the number of processors differs: X and 1 more were measured with GOMAXPROCS=1,2 in old.txt, but with GOMAXPROCS=4,8", 2, verdict.ExitNotMeasured},
		"1,2 and 2":   {with("1 2", "X"), with("2", "X"), "old.txt:2:1: benchmark X is missing in new.txt", 0, verdict.ExitPassed},
		"1,2 twice":   {with("1 2", "X", "Y"), with("1 2", "X", "Y"), "", 0, verdict.ExitPassed},
		"not a number of processors": {with("1", "Y") + with("8 16", "X/size"), with("1", "Y") + with("32", "X/size"),
			"old.txt:9:1: benchmark X/size-8 is missing in new.txt", 0, verdict.ExitPassed},
		"another": {with("8", "X", "Y"), with("2", "X", "Z"), "old.txt:2:1: only the number of processors differs: X was measured", 1, verdict.ExitNotMeasured},
	} {
		_, err := judge(c.older, c.newer, gobench.Options{})
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
		v, err := judge(c.older, c.newer, gobench.Options{AllowMissing: true})
		if err != nil || len(v.Processors) != c.entries || v.Exit != c.exit || len(v.ProcessorsDiffer()) != min(1, c.entries) {
			t.Errorf("%s: %+v, %v; want %d of other processors, exit code %d", name, v, err, c.entries, c.exit)
		}
	}
}

// The time of the samples is the number of iterations times the time of one.
func TestTime(t *testing.T) {
	text := strings.Repeat("BenchmarkX 1000 2e6 ns/op 7 fds\nBenchmarkY 5 3 fds\n", 4)
	v, err := judge(text, text, gobench.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]time.Duration{}
	for _, u := range v.Units {
		for _, r := range u.Rows {
			got[r.Benchmark+" "+u.Unit] = r.Time
		}
	}
	if diff := cmp.Diff(map[string]time.Duration{"X sec/op": 16 * time.Second, "X fds": 16 * time.Second, "Y fds": 0}, got); diff != "" {
		t.Error(diff)
	}
	text = strings.Repeat("BenchmarkX 1000000000 1e300 ns/op\n", 4)
	if v, err = judge(text, text, gobench.Options{}); err != nil || v.Units[0].Rows[0].Time != math.MaxInt64 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestOptionsRefused(t *testing.T) {
	text := bench("X", "ns/op", 1, 6)
	for _, o := range []gobench.Options{{Alpha: -1}, {Alpha: 1}, {Alpha: math.NaN()}, {Margin: new(-0.1)}, {Margin: new(math.NaN())}, {Margin: new(math.Inf(1))}} {
		if v, err := judge(text, text, o); err == nil {
			t.Errorf("%+v: %+v", o, v)
		}
	}
}
