package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"floodgate/results/gobench"
	"floodgate/results/report"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
)

// measured writes n results of a benchmark, each a little larger than the last.
func measured(name string, n int, values ...any) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Benchmark%s-2 1000", name)
		for k := 0; k < len(values); k += 2 {
			fmt.Fprintf(&b, " %g %s", values[k].(float64)*(1+0.004*float64(i)), values[k+1])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// benchVerdicts are of every kind that there is.
func benchVerdicts(t *testing.T) map[string]*gobench.Verdict {
	t.Helper()
	long := "Pipeline/strategy=staged/limit=300/writers=100/queue=1000/items=10000/database=embedded/link=slow"
	worse := func(f float64) string {
		return "pkg: floodgate/a\ncpu: A\n" + measured("Fetch", 10, 1.2e6*f, "ns/op", 81.5/f, "MB/s", 0.0, "allocs/op") +
			measured("Write", 10, 3.5e3/f, "ns/op") + "pkg: floodgate/b\n" + measured("Fetch", 8, 5e8, "ns/op")
	}
	cases := map[string]struct {
		older, newer string
		o            gobench.Options
	}{
		"worse":  {worse(1), worse(1.07), gobench.Options{}},
		"margin": {worse(1), worse(1.07), gobench.Options{Margin: 0.1}},
		"few":    {measured("A", 3, 1e6, "ns/op") + measured("B", 3, 1e6, "ns/op"), measured("A", 3, 2e6, "ns/op") + measured("B", 3, 1e6, "ns/op"), gobench.Options{}},
		"nothing": {measured("A", 6, 1e6, "ns/op"), measured("B", 6, 1e6, "ns/op"),
			gobench.Options{AllowMissing: true}},
		"processors": {measured("A", 6, 1e6, "ns/op") + measured("B/n=1", 6, 1e6, "ns/op"),
			strings.ReplaceAll(measured("A", 6, 1e6, "ns/op")+measured("B/n=1", 6, 1e6, "ns/op"), "-2 ", "-8 "), gobench.Options{AllowMissing: true}},
		"odd": {
			"cpu: A\nUnit fds better=lower assume=exact\n" + measured(long, 6, 1.0, "ns/op", -5.0, "shift", 7e300, "huge") + measured("A", 1, 12.0, "fds") + measured("Gone", 6, 1.0, "ns/op"),
			"cpu: B\n" + measured(long, 7, 1.0, "ns/op", 5.0, "shift", 1e-300, "huge") + measured("A", 1, 12.0, "fds") + measured("Added", 6, 1.0, "ns/op"),
			gobench.Options{AllowMissing: true, AllowMixed: true},
		},
	}
	verdicts := map[string]*gobench.Verdict{}
	for name, c := range cases {
		c.o.Alpha = 0.05
		v, err := gobench.Judge(gobench.Input{Name: "old.txt", Reader: strings.NewReader(c.older)}, gobench.Input{Name: "new.txt", Reader: strings.NewReader(c.newer)}, c.o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		verdicts[name] = v
	}
	return verdicts
}

func TestGoBenchVerdict(t *testing.T) {
	for name, v := range benchVerdicts(t) {
		for width := 80; width <= 140; width += 10 {
			var plain, colored bytes.Buffer
			err := errors.Join(report.GoBenchVerdict(&plain, v, text.Options{Width: width}), report.GoBenchVerdict(&colored, v, text.Options{Width: width, Color: true}))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(plain.String()) {
				if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); w > width {
					t.Errorf("%s at %d: %d columns: %s", name, width, w, line)
				}
			}
			if diff := cmp.Diff(plain.String(), trimmed(ansi.Strip(colored.String()))); diff != "" || strings.Contains(plain.String(), "\x1b") {
				t.Errorf("%s at %d: %s", name, width, diff)
			}
			if width == 80 || width == 120 {
				golden(t, fmt.Sprintf("gobenchgate.%s.%d.txt", name, width), plain.Bytes())
			}
		}
		j := report.GoBenchJudgement(v, "floodgate gate bench old.txt new.txt")
		golden(t, "gobenchgate."+name+".md", report.Comment(j))
		golden(t, "gobenchgate."+name+".github.txt", report.Annotations(j))
		checkSARIF(t, report.SARIF(j))
		if n := parseJUnit(t, report.JUnit(j)); (v.Exit == verdict.ExitFailed) != (n.Failures > 0) || (v.Exit == verdict.ExitInconclusive || v.Exit == verdict.ExitNotMeasured) != (n.Failures == 0 && n.Errors > 0) {
			t.Errorf("%s: exit code %d, and %+v", name, v.Exit, n)
		}
		var doc bytes.Buffer
		if err := report.GoBenchVerdictJSON(&doc, v); err != nil {
			t.Fatal(err)
		}
		golden(t, "gobenchgate."+name+".json", doc.Bytes())
		var got gobench.Verdict
		dec := json.NewDecoder(&doc)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v, &got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if err := errors.Join(report.GoBenchVerdict(full{}, v, text.Options{}), report.GoBenchVerdictJSON(full{}, v)); !errors.Is(err, io.ErrShortWrite) {
			t.Error(err)
		}
	}
}

// What package report writes of a run, the gate takes, and finds no worse than itself.
func TestGateReadsOurBenchmarks(t *testing.T) {
	for name, run := range cases() {
		var out bytes.Buffer
		if err := report.GoBench(&out, run); err != nil {
			t.Fatal(err)
		}
		v, err := gobench.Judge(gobench.Input{Name: "a", Reader: bytes.NewReader(out.Bytes())}, gobench.Input{Name: "b", Reader: bytes.NewReader(out.Bytes())}, gobench.Options{Alpha: 0.05})
		var none gobench.Errors
		if errors.As(err, &none) && !strings.Contains(out.String(), "\nBenchmark") {
			continue // a run without a trial that was measured
		}
		if err != nil || v.Counts[verdict.Worse]+v.Counts[verdict.Better] > 0 {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}
