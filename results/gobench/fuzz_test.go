package gobench_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"floodgate/results/gobench"
	"floodgate/results/verdict"
)

// Any two files are either refused with a position or judged with plausible figures; the
// corpus contains malformed ones.
func FuzzJudge(f *testing.F) {
	good := "goos: linux\npkg: p\nUnit x better=higher\nBenchmarkX-2 10 5 ns/op 3 x\nBenchmarkX-2 10 6 ns/op 3 x\n"
	f.Add(good, good, 0.0)
	for _, bad := range []string{
		"", "BenchmarkX", "BenchmarkX ", "Benchmark 1 1 x", "BenchmarkX 1", "BenchmarkX 0 1 x", "BenchmarkX 1 NaN x", "BenchmarkX 1 1e308 MB/s",
		"BenchmarkX 1 1 ns 1 sec", "Unit", "Unit x", "Unit x =", "Unit x better=", "Unit ns better=lower\nUnit sec better=higher\n",
		"Unit\u00a0x better=lower\nBenchmarkX\u20031 1 x", "BenchmarkX 1 1 x\r\nBenchmarkX 1 2 x\r", "k:\nk: v\nBenchmarkX 1 -1 x",
		"BenchmarkX 1 0x1p-1074 x", "BenchmarkX 1 1.7e308 x\nBenchmarkX 1 1.7e308 x", "BenchmarkX +1 1_0 x", "Unit x assume=exact\nBenchmarkX 1 1 x",
		"BenchmarkX 1 5 ns/ns/MB", "BenchmarkX 1 5 MB*ns-MB^", "\xff\xfeB", "{}", "FAIL",
		"BenchmarkX-2 \twarm\n 10\t 5 ns/op\n", "warm BenchmarkX-2 \t 10\t 5 ns/op\n", "10\t 5 ns/op\n", "BenchmarkX-8 1 1 x\n", "cpu: A\nBenchmarkX 1 1 x\ncpu: B\nBenchmarkX 1 1 x\n",
		"Unit x took 3s\nBenchmarkX 1 1 x\n", "BenchmarkX-2 \t--- FAIL: BenchmarkX-2\n", "pkg: a b\nBenchmarkX 1 1 x\n",
	} {
		f.Add(bad, good, 0.05)
		f.Add(good, bad, 0.0)
		f.Add(bad, bad, 1.0)
	}
	f.Fuzz(func(t *testing.T, older, newer string, margin float64) {
		if len(older)+len(newer) > 1<<16 {
			t.Skip()
		}
		o := gobench.Options{Margin: &margin, AllowMissing: len(older)%2 == 0, AllowMixed: len(newer)%2 == 0}
		v, err := judge(older, newer, o)
		if err != nil {
			var all gobench.Errors
			if !errors.As(err, &all) {
				if margin >= 0 && margin < 1e300 {
					t.Fatalf("no place: %v", err)
				}
				return
			}
			for _, e := range all {
				if e.Line < 1 || e.Column < 1 || e.File == "" || e.Problem == "" {
					t.Fatalf("%#v", e)
				}
			}
			return
		}
		if _, err := json.Marshal(v); err != nil {
			t.Fatal(err)
		}
		rows := 0
		for _, u := range v.Units {
			rows += len(u.Rows)
			for _, r := range u.Rows {
				if r.Old.N < 1 || r.New.N < 1 || (r.P == nil) != (r.Adjusted == nil) || r.P == nil && !u.Exact || (r.Why != "") != (r.Decision == verdict.Undecided) {
					t.Fatalf("%+v", r)
				}
				if r.P != nil && !(*r.P >= 0 && *r.P <= *r.Adjusted && *r.Adjusted <= 1) {
					t.Fatalf("p %v, %v", *r.P, *r.Adjusted)
				}
			}
		}
		counted := 0
		for _, n := range v.Counts {
			counted += n
		}
		if counted != rows || (v.Exit == 1) != (v.Counts[verdict.Worse] > 0) || rows == 0 && v.Exit != 4 {
			t.Fatalf("%+v", v)
		}
	})
}

// Log output never hides a result without an error, whether it is between results or
// between a name and its result, as package testing prints them.
func FuzzLogOutput(f *testing.F) {
	for _, log := range []string{
		"", "\n", "2026/01/02 03:04:05 cache warmed\n", "Unit tests took 3s\n", "cpu: 93% busy\n", "pkg: x\n", "Benchmark 5 started\n", "no newline",
		"5 6 x\n", "5 6 x", "1 0 A\n0", "cpu: ", "Unit", "7 ", "1", "\t", "\r", "BenchmarkY-2 \t", "BenchmarkY-2 \t 10\t 5 ns/op\n", "Benchmark", "--- FAIL: BenchmarkX-2\n", "ok  \tp\t1s\n", "\xff",
	} {
		f.Add(log, uint8(3), false)
		f.Add(log, uint8(6), true)
	}
	head, name, result := []string{"goos: linux\n", "pkg: p\n", "cpu: A\n"}, "BenchmarkX-2        \t", "     100\t      2405 ns/op\n"
	f.Fuzz(func(t *testing.T, log string, at uint8, inside bool) {
		unended := log[strings.LastIndexByte(log, '\n')+1:]
		if len(log) > 1<<12 || !inside && strings.HasPrefix(unended, "Benchmark") || !inside && strings.IndexAny(unended, " \t") == 0 {
			t.Skip() // it changes the benchmark's name, or quotes it
		}
		lines := head
		for range 6 {
			lines = append(lines[:len(lines):len(lines)], name+result)
		}
		clean := strings.Join(lines, "")
		i := len(head) + int(at)%6
		lines[i] = log + name + result
		if inside {
			lines[i] = name + log + result
		}
		v, err := judge(clean, strings.Join(lines, ""), gobench.Options{})
		if err != nil {
			return
		}
		for _, u := range v.Units {
			for _, r := range u.Rows {
				if u.Unit == "sec/op" && r.Benchmark == "X-2" && r.New.N < 6 {
					t.Fatalf("%q: %d results", log, r.New.N)
				}
			}
		}
	})
}
