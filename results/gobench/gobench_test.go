package gobench_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"floodgate/results/gate"
	"floodgate/results/gobench"
)

// bench writes n lines of a benchmark around a value.
func bench(name, unit string, center float64, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Benchmark%s-2 100 %g %s\n", name, center*(1+0.001*float64(i)), unit)
	}
	return b.String()
}

func judge(older, newer string, o gobench.Options) (*gobench.Verdict, error) {
	if o.Alpha == 0 {
		o.Alpha = 0.05
	}
	return gobench.Judge(gobench.Input{Name: "old.txt", Reader: strings.NewReader(older)}, gobench.Input{Name: "new.txt", Reader: strings.NewReader(newer)}, o)
}

func TestVerdicts(t *testing.T) {
	lower, higher, exact := "Unit x better=lower\n", "Unit x better=higher\n", "Unit x better=lower assume=exact\n"
	for name, c := range map[string]struct {
		older, newer string
		o            gobench.Options
		verdict      string
		exit         int
	}{
		"slower":                {bench("A", "ns/op", 100, 6), bench("A", "ns/op", 110, 6), gobench.Options{}, gobench.Worse, 1},
		"faster":                {bench("A", "ns/op", 110, 6), bench("A", "ns/op", 100, 6), gobench.Options{}, gobench.Better, 0},
		"the same":              {bench("A", "ns/op", 100, 6), bench("A", "ns/op", 100, 6), gobench.Options{}, gobench.Same, 0},
		"all equal":             {strings.Repeat("BenchmarkA 1 3 allocs/op\n", 6), strings.Repeat("BenchmarkA 1 3 allocs/op\n", 6), gobench.Options{}, gobench.Same, 0},
		"more throughput":       {bench("A", "MB/s", 100, 6), bench("A", "MB/s", 110, 6), gobench.Options{}, gobench.Better, 0},
		"less throughput":       {bench("A", "MB/s", 110, 6), bench("A", "MB/s", 100, 6), gobench.Options{}, gobench.Worse, 1},
		"more bytes":            {bench("A", "B/op", 100, 6), bench("A", "B/op", 110, 6), gobench.Options{}, gobench.Worse, 1},
		"more allocations":      {bench("A", "allocs/op", 100, 6), bench("A", "allocs/op", 110, 6), gobench.Options{}, gobench.Worse, 1},
		"first allocation":      {strings.Repeat("BenchmarkA 1 0 allocs/op\n", 6), strings.Repeat("BenchmarkA 1 1 allocs/op\n", 6), gobench.Options{Margin: 0.5}, gobench.Worse, 1},
		"unit, lower":           {lower + bench("A", "x", 100, 6), bench("A", "x", 110, 6), gobench.Options{}, gobench.Worse, 1},
		"unit, higher":          {bench("A", "x", 100, 6), higher + bench("A", "x", 110, 6), gobench.Options{}, gobench.Better, 0},
		"unit against default":  {"Unit ns/op better=higher\n" + bench("A", "ns/op", 100, 6), bench("A", "ns/op", 110, 6), gobench.Options{}, gobench.Better, 0},
		"unit unknown":          {bench("A", "x", 100, 6), bench("A", "x", 110, 6), gobench.Options{}, gobench.Inconclusive, 3},
		"unit unknown, same":    {bench("A", "x", 100, 6), bench("A", "x", 100, 6), gobench.Options{}, gobench.Same, 0},
		"below zero":            {higher + bench("A", "x", -100, 6), bench("A", "x", -110, 6), gobench.Options{Margin: 0.05}, gobench.Worse, 1},
		"within margin":         {bench("A", "ns/op", 100, 6), bench("A", "ns/op", 110, 6), gobench.Options{Margin: 0.11}, gobench.WithinMargin, 0},
		"beyond margin":         {bench("A", "ns/op", 100, 6), bench("A", "ns/op", 110, 6), gobench.Options{Margin: 0.09}, gobench.Worse, 1},
		"within margin, higher": {bench("A", "MB/s", 100, 6), bench("A", "MB/s", 90, 6), gobench.Options{Margin: 0.11}, gobench.WithinMargin, 0},
		"three samples":         {bench("A", "ns/op", 100, 3), bench("A", "ns/op", 900, 3), gobench.Options{}, gobench.Inconclusive, 3},
		"four samples":          {bench("A", "ns/op", 100, 4), bench("A", "ns/op", 900, 4), gobench.Options{}, gobench.Worse, 1},
		"four, alpha 1 %":       {bench("A", "ns/op", 100, 4), bench("A", "ns/op", 900, 4), gobench.Options{Alpha: 0.01}, gobench.Inconclusive, 3},
		"one sample":            {bench("A", "ns/op", 100, 1), bench("A", "ns/op", 100, 1), gobench.Options{}, gobench.Inconclusive, 3},
		"exact":                 {exact + bench("A", "x", 100, 1), bench("A", "x", 101, 1), gobench.Options{}, gobench.Worse, 1},
		"exact, the same":       {exact + bench("A", "x", 100, 1), bench("A", "x", 100, 1), gobench.Options{}, gobench.Same, 0},
		"exact, but is not":     {exact + bench("A", "x", 100, 3), bench("A", "x", 100, 1), gobench.Options{}, gobench.Inconclusive, 3},
	} {
		v, err := judge(c.older, c.newer, c.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if row := v.Units[0].Rows[0]; row.Verdict != c.verdict || v.Exit != c.exit || v.Counts[c.verdict] != 1 {
			t.Errorf("%s: %s, exit code %d, want %s, %d: %+v", name, row.Verdict, v.Exit, c.verdict, c.exit, row)
		}
	}
}

// More comparisons take more samples, and say how many; as many are enough.
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
	if v.Exit != gate.ExitInconclusive || row.Need != 6 || v.Tests != 20 || v.Counts[gobench.Inconclusive] != 20 {
		t.Fatalf("exit code %d, %v: %+v", v.Exit, v.Counts, row)
	}
	if v, err = judge(set(100, row.Need), set(200, row.Need), gobench.Options{}); err != nil || v.Exit != gate.ExitFailed || v.Counts[gobench.Worse] != 1 {
		t.Errorf("with %d each: %+v, %v", row.Need, v, err)
	}
}

// Values that differ by chance alone are called different anywhere in a file
// about as rarely as alpha says; without the correction they would not.
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
		if v.Counts[gobench.Same] < benches {
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

// lcg is a source of numbers from 0 to 1 that is the same in each run.
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
	if len(rows) != 2 || rows[0].Package != "a" || rows[0].Verdict != gobench.Worse || rows[1].Verdict != gobench.Same {
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
	want := "new.txt:2:1: measured elsewhere than at old.txt:2: cpu \"A\" and \"B\"; allowed: the same on both sides, or --allow-mixed\n" +
		"old.txt:8:1: benchmark Y-2 is missing in new.txt; allowed: the same benchmarks in both, or --allow-missing"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
	v, err := judge(older, newer, gobench.Options{AllowMissing: true, AllowMixed: true})
	if err != nil || len(v.Missing) != 1 || len(v.Added) != 1 || len(v.Mixed) != 1 || v.Exit != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err = judge(bench("X", "ns/op", 1, 6), bench("Y", "ns/op", 1, 6), gobench.Options{AllowMissing: true}); err != nil || v.Exit != gate.ExitInconclusive {
		t.Errorf("nothing in common: %+v, %v", v, err)
	}
	_, err = judge("BenchmarkX 1 2 ns/op 3 B/op\n", "BenchmarkX 1 2 ns/op\n", gobench.Options{})
	if err == nil || !strings.Contains(err.Error(), "old.txt:1:1: B/op of benchmark X is missing in new.txt") {
		t.Error(err)
	}
}

// Every mistake has its place, and what is allowed.
func TestInputErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                             "1:1: the file is empty",
		" \n\t\n":                                      "1:1: the file is empty",
		"hello\nworld\n":                               "1:1: no benchmark line in the file;",
		"PASS\nBenchmarkX\n":                           "1:1: no benchmark line",
		`{"Action":"start"}`:                           "1:1: no benchmark line in the file (that of go test -json",
		"\xef\xbb\xbfBenchmarkX":                       "1:1: the file begins with a byte-order mark",
		"\xff\xfeB\x00":                                "1:1: the file begins with a byte-order mark",
		"BenchmarkX 1 NaN ns/op":                       `1:14: value "NaN"; allowed: a finite number`,
		"\nBenchmarkX 1 5 ns/op -Inf x":                "2:22: value \"-Inf\"; allowed: a finite number",
		"BenchmarkX 1 1e999 ns/op":                     `1:14: value "1e999"`,
		"BenchmarkX 1 1e305 MB/s":                      `1:14: value "1e305"`,
		"BenchmarkX 1 -5 ns/op":                        `1:14: value "-5" of ns/op; allowed: 0 or more`,
		"BenchmarkX 0 5 ns/op":                         `1:12: iteration count "0"; allowed: a whole number from 1`,
		"BenchmarkX -1 5 ns/op":                        `1:12: iteration count "-1"`,
		"BenchmarkX 1.5 5 ns/op":                       `1:12: iteration count "1.5"`,
		"BenchmarkX 99999999999999999999 5 ns/op":      `1:12: iteration count "9999`,
		"BenchmarkX-8 \t":                              "1:15: no iteration count",
		"BenchmarkX 1":                                 "1:13: no measurement",
		"BenchmarkX 1 5":                               `1:15: value "5" has no unit`,
		"BenchmarkX 1 5 ns/op 6":                       `1:23: value "6" has no unit`,
		"BenchmarkX 1 5 ns/op 16 B/o":                  "1:28: the file ends within a measurement",
		"BenchmarkX 1 5 ns/op":                         "1:21: the file ends within a measurement",
		"BenchmarkX 1 five ns/op":                      `1:14: value "five"`,
		"BenchmarkÄÄ 1 five ns/op":                     `1:15: value "five"`,
		"BenchmarkX 1 5 ns/op 6 ns/op":                 `1:24: unit "ns/op" stands beside "ns/op"`,
		"BenchmarkX 1 5 ns/op 6 sec/op":                `1:24: unit "sec/op" stands beside "ns/op", which is the same`,
		"BenchmarkX\x1b[2J 1 5 ns/op":                  "1:11: name",
		"BenchmarkX\xff 1 5 ns/op":                     "1:11: name",
		"BenchmarkX 1 5 n\x00s":                        "1:17: unit",
		"Unit x better=lower\nUnit x better=higher":    `2:8: unit "x" has "better=higher" here, but better=lower at old.txt:1; allowed: one meaning`,
		"Unit ns better=lower\nUnit sec better=higher": `2:10: unit "sec" has`,
		"Unit x better=sideways":                       `1:8: setting "better=sideways"; allowed: better=lower or better=higher`,
		"Unit x assume=much":                           `1:8: setting "assume=much"; allowed: assume=nothing or assume=exact`,
		"Unit x =y":                                    `1:8: setting "=y"; allowed: key=value`,
		"Unit x better":                                `1:8: setting "better"`,
		"Unit":                                         "1:5: no unit",
		"BenchmarkX 1 5 ns/op\n--- FAIL: BenchmarkY":   `2:1: the run failed: "--- FAIL: BenchmarkY"`,
		"BenchmarkX 1 5 ns/op\nFAIL\tp\t0.1s":          "2:1: the run failed",
		"BenchmarkX 1 5 ns/op\nFAIL":                   "2:1: the run failed",
		"\n" + strings.Repeat("x", 1<<16):              "2:1: a line of 65536 bytes",
	} {
		_, err := judge(text, text, gobench.Options{})
		var one *gobench.InputError
		if err == nil || !strings.HasPrefix(err.Error(), "old.txt:"+want) || !errors.As(err, &one) || one.Allowed == "" {
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

func TestOptionsRefused(t *testing.T) {
	text := bench("X", "ns/op", 1, 6)
	for _, o := range []gobench.Options{{Alpha: -1}, {Alpha: 1}, {Alpha: math.NaN()}, {Margin: -0.1}, {Margin: math.NaN()}, {Margin: math.Inf(1)}} {
		if v, err := judge(text, text, o); err == nil {
			t.Errorf("%+v: %+v", o, v)
		}
	}
}
