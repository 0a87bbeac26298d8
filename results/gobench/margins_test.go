package gobench_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"floodgate/results/gobench"
	"floodgate/results/verdict"
)

// A margin is the given one, or that of a self-test for times on its machine, or else the
// default of the unit, which depends on whether the files were measured in turn.
func TestMarginsOfUnits(t *testing.T) {
	const turns = "interleaved: 20261128-110000.000-abcdef\n"
	spread := &gobench.Spread{Interleaved: 0.03, Apart: 0.08, From: "self-test X", CPU: "A  CPU"}
	text := "cpu: A CPU\nUnit fds better=lower assume=exact\n" + strings.Repeat("BenchmarkA 1 5 ns/op 3 MB/s 7 B/op 2 allocs/op 4 p99-ns 9 fds 8 odd\n", 6)
	for name, c := range map[string]struct {
		older, newer string
		o            gobench.Options
		want         string // in the order sec/op, B/s, B/op, allocs/op, p99-sec, fds, odd
	}{
		"given":              {text, text, gobench.Options{Margin: new(0.07), Spread: spread}, "7 7 7 7 7 7 7 given"},
		"one after another":  {text, text, gobench.Options{}, "50 50 2 2 50 0 50 default"},
		"in turn":            {turns + text, turns + text, gobench.Options{}, "10 10 2 2 10 0 10 default"},
		"one in turn":        {turns + text, text, gobench.Options{}, "50 50 2 2 50 0 50 default"},
		"other comparison":   {turns + text, "interleaved: y\n" + text, gobench.Options{}, "50 50 2 2 50 0 50 default"},
		"self-test":          {text, text, gobench.Options{Spread: spread}, "8 8 2 2 8 0 50 self-test X"},
		"self-test, in turn": {turns + text, turns + text, gobench.Options{Spread: spread}, "3 3 2 2 3 0 10 self-test X"},
		"calm self-test":     {text, text, gobench.Options{Spread: &gobench.Spread{Apart: 0.001, From: "x", CPU: "A CPU"}}, "1 1 2 2 1 0 50 x"},
		"other machine":      {text, text, gobench.Options{Spread: &gobench.Spread{Apart: 0.08, From: "x", CPU: "B"}}, "50 50 2 2 50 0 50 default"},
	} {
		o := c.o
		o.Alpha = 0.05
		v, err := gobench.Judge(gobench.Input{Name: "old.txt", Reader: strings.NewReader(c.older)}, gobench.Input{Name: "new.txt", Reader: strings.NewReader(c.newer)}, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, u := range v.Units {
			got = append(got, fmt.Sprint(math.Round(100*u.Margin)))
		}
		if got := strings.Join(append(got, v.Units[0].MarginFrom), " "); got != c.want {
			t.Errorf("%s: margins %s, want %s", name, got, c.want)
		}
		if inTurn := strings.Contains(name, "in turn") && name != "one in turn"; v.Interleaved != inTurn || (len(v.Notes) == 0) != inTurn {
			t.Errorf("%s: interleaved %v, notes %q", name, v.Interleaved, v.Notes)
		}
	}
}

// By default, what two successive runs of the same code differed by on a busy machine
// passes (+39.7 % ns/op, +0.11 % B/op), and what no machine explains does not.
func TestSuccessiveRunsPass(t *testing.T) {
	file := func(ns, bytes, allocs float64) string {
		var b strings.Builder
		for i := range 10 {
			fmt.Fprintf(&b, "BenchmarkA-2 1000 %g ns/op %g B/op %g allocs/op\n", ns*(1+0.001*float64(i%5)), bytes, allocs)
		}
		return b.String()
	}
	for _, c := range []struct {
		ns, bytes, allocs float64
		want              verdict.Decision
	}{{139.7, 10011, 100, verdict.Passed}, {160, 10000, 100, verdict.Failed}, {100, 10300, 100, verdict.Failed}, {100, 10000, 103, verdict.Failed}} {
		v, err := gobench.Judge(gobench.Input{Name: "old.txt", Reader: strings.NewReader(file(100, 10000, 100))},
			gobench.Input{Name: "new.txt", Reader: strings.NewReader(file(c.ns, c.bytes, c.allocs))}, gobench.Options{Alpha: 0.05})
		if err != nil || v.Decision != c.want {
			t.Errorf("%+v: %+v, %v", c, v, err)
		}
	}
}

// Drift within a file is noted where it is there, and by chance in at most alpha of the
// files.
func TestDriftIsNoted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	drifts := func(perSample float64) bool {
		var files [2]strings.Builder
		for _, name := range []string{"A", "B", "C"} {
			for i := range 10 {
				for side := range files {
					slope := perSample
					if name != "B" || side == 1 {
						slope = 0
					}
					fmt.Fprintf(&files[side], "Benchmark%s-2 1000 %g ns/op\n", name, 1000*(1+slope*float64(i)+0.01*rng.NormFloat64()))
				}
			}
		}
		v, err := judge(files[0].String(), files[1].String(), gobench.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return len(v.Notes) == 2 && strings.Contains(v.Notes[1], "of 6 series, most in old.txt, where B-2 changes by +") || len(v.Notes) == 2 && perSample == 0
	}
	if !drifts(0.02) {
		t.Error("a drift of 20 % is not noted")
	}
	chance := 0
	for range 200 {
		if drifts(0) {
			chance++
		}
	}
	if chance > 20 { // 5 % are 10
		t.Errorf("drift is noted in %d of 200 files without", chance)
	}
}
