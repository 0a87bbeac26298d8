package report_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/baseline"
	"floodgate/results/history"
	"floodgate/results/internal/runtest"
	"floodgate/results/pairs"
	"floodgate/results/report"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/stats"
	"floodgate/results/text"
)

// oneCPU makes a fingerprint that of a container with one processor on a machine with
// two.
func oneCPU(f *results.Fingerprint) { f.GOMAXPROCS, f.CPUQuota = 2, 1 }

// The line about the machine, in every format, names the limits of the processors.
func TestProcessorsAreShown(t *testing.T) {
	const want = "2 cores, GOMAXPROCS 2, CPU quota 1 core, "
	run := runtest.New(runtest.Options{Blocks: 8})
	oneCPU(&run.Header.Fingerprint)
	run.Header.SUT = &results.SUT{Repository: "service", Revision: strings.Repeat("ab", 20), Modified: true}
	printed := rendered(t, func(w io.Writer) error {
		return report.Terminal(w, run, reporttest.Judge(t, run), text.Options{Width: 200})
	})
	for _, words := range []string{want, "revision abababababab with changes of repository service"} {
		if !strings.Contains(printed, words) {
			t.Errorf("no %q in\n%s", words, printed)
		}
	}
	v := &pairs.Outcome{Design: stats.DefaultDesign(), A: pairs.Side{Name: "main", Revision: "1a2b", Toolchain: "go1.25.3"}, B: pairs.Side{Name: "working tree", Revision: "3c4d", Modified: true, Toolchain: "go1.26.8"}}
	v.Machine = run.Header.Fingerprint
	printed = rendered(t, func(w io.Writer) error { return report.Pairs(w, v, text.Options{Width: 200}) })
	for _, words := range []string{want, "main (1a2b, go1.25.3)", "working tree (3c4d with changes, go1.26.8)"} {
		if !strings.Contains(printed, words) {
			t.Errorf("no %q in\n%s", words, printed)
		}
	}
	var c history.Collector
	c.Add(run)
	printed = rendered(t, func(w io.Writer) error {
		return report.History(w, c.History(history.Options{}), text.Options{Width: 200})
	})
	if !strings.Contains(printed, want) {
		t.Errorf("no %q in\n%s", want, printed)
	}
}

// The baseline's file contains the limits of the processors.
func TestProcessorsOfABaselineReadBack(t *testing.T) {
	run := runtest.New(runtest.Options{Blocks: 8})
	oneCPU(&run.Header.Fingerprint)
	b, err := baseline.FromRun(run)
	if err != nil {
		t.Fatal(err)
	}
	again, err := baseline.Decode("b.yaml", b.Encode())
	if err != nil || again.Machine.GOMAXPROCS != 2 || again.Machine.CPUQuota != 1 {
		t.Errorf("%+v, %v", again, err)
	}
}

func rendered(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A share that is inconclusive because of noise and only warns is marked.
func TestOpenSharesAreMarked(t *testing.T) {
	good := func(id string, change func(*results.Trial)) *results.Run {
		run := runtest.New(runtest.Options{Blocks: 8})
		run.Header.ID = id
		for i := range run.Trials {
			change(&run.Trials[i])
		}
		return run
	}
	b, err := baseline.FromRun(good("a", func(*results.Trial) {}))
	if err != nil {
		t.Fatal(err)
	}
	noisy := good("b", func(t *results.Trial) {
		if t.Variant == "bounded-10" && t.Block%2 == 1 {
			t.Makespan += t.Makespan / 2
		}
	})
	for marked, warn := range map[string]bool{"inconclusive (warning)\n": true, "inconclusive\n": false} {
		v, err := baseline.Gate("b.yaml", b, noisy, baseline.Options{Margin: baseline.DefaultMargin, ShareMargin: baseline.DefaultShareMargin, OpenSharesWarn: warn})
		if err != nil {
			t.Fatal(err)
		}
		text := rendered(t, func(w io.Writer) error { return report.Baseline(w, v, text.Options{Width: 200}) })
		if !strings.Contains(text, marked) {
			t.Errorf("warn %v: no %q in\n%s", warn, marked, text)
		}
	}
}
