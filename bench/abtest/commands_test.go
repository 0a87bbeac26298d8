//go:build linux || darwin

package abtest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"floodgate/bench/abtest"
	results "floodgate/results/pairs"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// compare compares two commands that the function measures.
func compare(ctx context.Context, t *testing.T, a, b string, measure abtest.Measurer) (*results.Outcome, []abtest.CommandPair, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gate", abtest.PairsFile)
	log, err := abtest.NewLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	v := &results.Outcome{Kind: results.Commands, Seed: 1, Design: stats.DefaultDesign()}
	err = abtest.RunCommands(ctx, v, abtest.Commands{
		A: words(t, a), B: words(t, b), Metric: results.Wall, Measure: measure, Log: log, Progress: func(int, int) {},
	})
	return v, stored(t, path), err
}

func words(t *testing.T, line string) []string {
	t.Helper()
	all, err := abtest.SplitCommand(line)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func stored(t *testing.T, path string) (all []abtest.CommandPair) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		var p abtest.CommandPair
		if err := json.Unmarshal(in.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// counted derives the time of a command such as "work 100" from its number of steps,
// without a clock. Each run varies a little.
type counted struct{ ran []string }

func (c *counted) measure(_ context.Context, words []string) (abtest.Measured, error) {
	c.ran = append(c.ran, strings.Join(words, " "))
	steps, err := strconv.ParseFloat(words[1], 64)
	if err != nil {
		return abtest.Measured{}, err
	}
	wobble := math.Exp(0.004 * math.Sin(float64(len(c.ran))))
	return abtest.Measured{Wall: time.Duration(steps * wobble * float64(time.Millisecond)), User: time.Millisecond}, nil
}

func TestMoreWorkIsWorse(t *testing.T) {
	for _, c := range []struct {
		a, b    string
		verdict verdict.Word
		exit    int
	}{
		{"work 100", "work 120", verdict.Worse, verdict.ExitFailed},
		{"work 100", "work 101", verdict.NotWorse, verdict.ExitPassed},
		{"work 100", "work 80", verdict.NotWorse, verdict.ExitPassed},
		{"work 100", "work 105", verdict.Undecided, verdict.ExitInconclusive},
	} {
		var count counted
		v, pairs, err := compare(t.Context(), t, c.a, c.b, count.measure)
		if err != nil {
			t.Fatal(err)
		}
		if v.Cells[0].Decision != c.verdict || v.Exit != c.exit {
			t.Errorf("%s, %s: %s, exit %d; want %s, %d", c.a, c.b, v.Cells[0].Decision, v.Exit, c.verdict, c.exit)
		}
		if len(pairs) != v.Cells[0].Pairs || len(count.ran) != 2*len(pairs)+2 {
			t.Errorf("%s, %s: %d pairs stored, %d judged, %d commands ran", c.a, c.b, len(pairs), v.Cells[0].Pairs, len(count.ran))
		}
		if c.verdict != verdict.Undecided && len(pairs) != 8 {
			t.Errorf("%s, %s: it was clear at the first analysis, and %d pairs were run", c.a, c.b, len(pairs))
		}
		first := 0
		for i, p := range pairs {
			inTurn := count.ran[2*i+2 : 2*i+4]
			if p.BFirst {
				first++
				slices.Reverse(inTurn)
			}
			if p.Pair != i || inTurn[0] != c.a || inTurn[1] != c.b {
				t.Errorf("pair %d (%+v) ran %q", i, p, inTurn)
			}
		}
		if first == 0 || first == len(pairs) {
			t.Errorf("B came first in %d of %d pairs: the order is not random", first, len(pairs))
		}
	}
}

func TestFailedCommandIsNotMeasured(t *testing.T) {
	for _, at := range []int{1, 2, 9} { // the first two are the warm-up
		n := 0
		v, pairs, err := compare(t.Context(), t, "a", "b", func(context.Context, []string) (abtest.Measured, error) {
			if n++; n == at {
				return abtest.Measured{Failed: "exit status 3: because"}, nil
			}
			return abtest.Measured{Wall: time.Second}, nil
		})
		if err != nil || v.Exit != verdict.ExitNotMeasured || !strings.Contains(v.Unmeasured, "exit status 3: because") {
			t.Errorf("run %d: %v, exit %d: %q", at, err, v.Exit, v.Unmeasured)
		}
		if want := max(0, (at-3)/2); len(pairs) != want || n != at {
			t.Errorf("run %d: %d pairs stored, want %d; %d commands ran", at, len(pairs), want, n)
		}
	}
}

// measure runs a command with its output connected to a pipe, the default.
func measure(ctx context.Context, words []string) (abtest.Measured, error) {
	return abtest.NewMeasurer(abtest.OutputPipe)(ctx, words)
}

func TestMeasure(t *testing.T) {
	m, err := measure(t.Context(), []string{"sh", "-c", "echo heard nowhere; exit 0"})
	if err != nil || m.Failed != "" || m.Wall <= 0 || m.User+m.System > m.Wall*time.Duration(runtime.NumCPU()) {
		t.Errorf("%+v, %v", m, err)
	}
	m, err = measure(t.Context(), []string{"sh", "-c", "echo this is why >&2; exit 7"})
	if err != nil || m.Failed != "exit status 7: this is why" {
		t.Errorf("%+v, %v", m, err)
	}
	m, err = measure(t.Context(), []string{"sh", "-c", "read x && exit 0; exit 3"})
	if err != nil || m.Failed != "exit status 3" { // there is no input to read
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := measure(t.Context(), []string{filepath.Join(t.TempDir(), "nosuch")}); err == nil {
		t.Error("a missing program ran")
	}
}

// The output of a program is a pipe, which is read beyond its capacity, or the null
// device.
func TestOutputDestinations(t *testing.T) {
	for _, c := range []struct {
		name, to, script string
	}{
		{"pipe", abtest.OutputPipe, "test -p /dev/fd/1"},
		{"more than it holds", abtest.OutputPipe, "head -c 1000000 /dev/zero"},
		{"null", abtest.OutputNull, "test -c /dev/fd/1"},
	} {
		m, err := abtest.NewMeasurer(c.to)(t.Context(), []string{"sh", "-c", c.script})
		if err != nil || m.Failed != "" {
			t.Errorf("%s: %+v, %v", c.name, m, err)
		}
	}
	if m, err := abtest.NewMeasurer(abtest.OutputNull)(t.Context(), []string{"sh", "-c", "test -p /dev/fd/1"}); err != nil || m.Failed == "" {
		t.Errorf("the null device is a pipe: %+v, %v", m, err)
	}
}

// A process that leaves the command's group and keeps its output open delays nothing.
func TestAnEscapedProcessDoesNotHoldThePipe(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("no setsid here")
	}
	pid := filepath.Join(t.TempDir(), "pid")
	// The command ends when the other process has written its PID.
	script := fmt.Sprintf(`setsid sh -c 'echo $$ >%s.new; mv %s.new %s; exec sleep 600' & while [ ! -e %s ]; do :; done`, pid, pid, pid, pid)
	m, err := measure(t.Context(), []string{"sh", "-c", script})
	text, _ := os.ReadFile(pid)
	if n, _ := strconv.Atoi(strings.TrimSpace(string(text))); n > 0 {
		_ = syscall.Kill(n, syscall.SIGKILL)
	}
	if err != nil || m.Failed != "" {
		t.Errorf("%+v, %v", m, err)
	}
}

// The background processes of a command end with it, even if it is interrupted.
func TestProcessesOfACommandEndWithIt(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	grandchild := func() int { // zero until the file is complete
		text, _ := os.ReadFile(filepath.Join(dir, "pid"))
		pid, _ := strconv.Atoi(strings.TrimSuffix(string(text), "\n"))
		if !strings.HasSuffix(string(text), "\n") {
			return 0
		}
		return pid
	}
	script := fmt.Sprintf("sleep 600 & echo $! > %s/pid; ", dir)
	if _, err := measure(t.Context(), []string{"sh", "-c", script}); err != nil {
		t.Fatal(err)
	}
	gone(t, grandchild())
	if err := os.Remove(filepath.Join(dir, "pid")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for grandchild() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := measure(ctx, []string{"sh", "-c", script + "wait"}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	gone(t, grandchild())
	if err := os.Remove(filepath.Join(dir, "pid")); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// gone waits until the process does not exist or is a zombie.
func gone(t *testing.T, pid int) {
	t.Helper()
	if pid <= 0 {
		t.Fatal("it never ran")
	}
	for end := time.Now().Add(30 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(time.Millisecond) {
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("process %d is still there", pid)
		}
	}
}
