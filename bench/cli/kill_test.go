//go:build linux

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"floodgate/bench/cli/command"
	"floodgate/results"
	"floodgate/results/verdict"
)

// killScenario runs long enough to be hit in the middle.
const killScenario = `
version: 1
name: kill
title: Long enough to be hit in the middle
seed: 7
items: {kind: phone-numbers}
upstream: {latency: {distribution: constant, value: 15ms}, late_bound: 1s}
sut: {timeout: 30s}
variants: [{strategy: sequential}, {strategy: bounded, limit: 2}]
levels: [{items: [10, 15]}]
blocks: 6
claims:
  - {id: lossless, statement: nothing is lost, documents: {}}
`

// harness is a running "floodgate run" in a folder of its own.
type harness struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	stderr bytes.Buffer
	stdout bytes.Buffer
}

func startHarness(t *testing.T, dir string, args ...string) *harness {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{t: t, dir: dir}
	// A link named floodgate makes the test binary be the command.
	link := filepath.Join(dir, "floodgate")
	if err := os.Symlink(executable, link); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kill.yaml"), []byte(killScenario), 0o644); err != nil {
		t.Fatal(err)
	}
	h.cmd = exec.Command(link, append([]string{"run", "--env", "embedded"}, args...)...)
	h.cmd.Dir = dir
	h.cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(dir, "tmp"))
	h.cmd.Stderr, h.cmd.Stdout = &h.stderr, &h.stdout
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.cmd.Process.Kill(); h.cmd.Wait() })
	return h
}

// until waits for a condition; a minute is for machines that are very slow.
func (h *harness) until(what string, condition func() bool) {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("waited a minute until %s\n%s", what, h.stderr.String())
		}
	}
}

// stored is the number of complete lines in the run's file, and its ID.
func (h *harness) stored() (lines int, id string) {
	files, _ := filepath.Glob(filepath.Join(h.dir, command.DefaultRoot, "*", results.FileName))
	if len(files) == 0 {
		return 0, ""
	}
	src, _ := os.ReadFile(files[0])
	return bytes.Count(src, []byte("\n")), filepath.Base(filepath.Dir(files[0]))
}

// untilTrials waits until the header and n trials are stored.
func (h *harness) untilTrials(n int) {
	h.t.Helper()
	h.until(fmt.Sprintf("%d trials are stored", n), func() bool { lines, _ := h.stored(); return lines > n })
}

func (h *harness) wait() int {
	h.t.Helper()
	err := h.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return h.cmd.ProcessState.ExitCode()
}

// children are the processes below the harness, by hidden subcommand.
func children(parent int) map[string][]int {
	found := map[string][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if args := strings.Split(string(cmdline), "\x00"); len(args) > 1 {
			found[args[1]] = append(found[args[1]], pid)
		}
	}
	return found
}

func alive(pid int) bool {
	s := state(pid)
	return s != "" && s != "Z"
}

// state is the letter of a process's state in /proc; empty: it is gone.
func state(pid int) string {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); len(fields) > 0 {
		return fields[0]
	}
	return ""
}

// stopped reports whether all threads of a process have stopped.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, file := range threads {
		if stat, err := os.ReadFile(file); err == nil && !strings.Contains(string(stat), ") T ") {
			return false
		}
	}
	return len(threads) > 0
}

// hit kills a child of the kind in the middle of a trial. (Between two trials
// the harness would restart it, and no trial be spoiled.) The SUT is stopped
// meanwhile, so that its trial cannot end before the child has.
func (h *harness) hit(kind string) {
	h.t.Helper()
	var sut, victim int
	h.until("a SUT is stopped", func() bool {
		all := children(h.cmd.Process.Pid)
		if len(all["sut-child"]) == 0 || len(all[kind]) == 0 {
			return false
		}
		sut, victim = all["sut-child"][0], all[kind][0]
		if syscall.Kill(sut, syscall.SIGSTOP) != nil {
			return false
		}
		h.until("the SUT has stopped or ended", func() bool { return stopped(sut) || !alive(sut) })
		return alive(sut)
	})
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
	h.until("the "+kind+" has ended", func() bool { return !alive(victim) })
	_ = syscall.Kill(sut, syscall.SIGCONT) // gone, if it was the victim
}

func (h *harness) open() *results.Run {
	h.t.Helper()
	_, id := h.stored()
	run, err := results.Open(filepath.Join(h.dir, command.DefaultRoot, id))
	if err != nil {
		h.t.Fatal(err)
	}
	return run
}

// clean checks that no temporary folder is left.
func (h *harness) clean() {
	h.t.Helper()
	h.until("the temporary folder is empty", func() bool {
		left, _ := os.ReadDir(filepath.Join(h.dir, "tmp"))
		return len(left) == 0
	})
}

func TestKillAChildInMidRun(t *testing.T) {
	for kind, want := range map[string]struct {
		outcome string
		exit    int
	}{
		"sut-child":      {results.OutcomeCrashed, verdict.ExitInconclusive}, // an outcome, but no evidence for the claim
		"mongo-child":    {results.OutcomeFailed, verdict.ExitNotMeasured},
		"upstream-child": {results.OutcomeFailed, verdict.ExitNotMeasured},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := startHarness(t, t.TempDir(), "./kill.yaml")
			h.untilTrials(2)
			h.hit(kind)
			if code := h.wait(); code != want.exit {
				t.Errorf("exit code %d, want %d\n%s\n%s", code, want.exit, h.stdout.String(), h.stderr.String())
			}
			run := h.open()
			if !run.Complete || len(run.Trials) != 24 {
				t.Errorf("complete %v with %d trials of 24", run.Complete, len(run.Trials))
			}
			bad := 0
			for _, trial := range run.Trials {
				if trial.Outcome == results.OutcomeOK {
					continue
				}
				bad++
				if trial.Outcome != want.outcome || trial.Reason == "" {
					t.Errorf("trial %d: %s: %q, want %s", trial.Index, trial.Outcome, trial.Reason, want.outcome)
				}
			}
			if bad != 1 { // the next one starts clean
				t.Errorf("%d trials were spoiled by one kill", bad)
			}
			h.clean()
		})
	}
}

func TestKillTheHarnessAndResume(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			h := startHarness(t, t.TempDir(), "./kill.yaml")
			h.untilTrials(3)
			var pids []int
			h.until("a SUT runs", func() bool { // so that it is hit in the middle of a trial
				all := children(h.cmd.Process.Pid)
				pids = slices.Concat(all["sut-child"], all["mongo-child"], all["upstream-child"])
				return len(pids) == 3
			})
			if err := h.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			code := h.wait()
			_, id := h.stored()
			if signal != syscall.SIGKILL {
				if code != verdict.ExitNotMeasured || !strings.Contains(h.stderr.String(), "--resume "+id) {
					t.Errorf("exit code %d, %s", code, h.stderr.String())
				}
			}
			for _, pid := range pids {
				h.until(fmt.Sprintf("process %d ends", pid), func() bool { return !alive(pid) })
			}
			h.clean()
			before := h.open()
			if before.Complete || len(before.Trials) < 3 {
				t.Fatalf("complete %v with %d trials", before.Complete, len(before.Trials))
			}
			again := startHarness(t, h.dir, "--resume", id)
			if code := again.wait(); code != verdict.ExitPassed {
				t.Fatalf("exit code %d\n%s", code, again.stderr.String())
			}
			after := again.open()
			if !after.Complete || len(after.Trials) != 24 {
				t.Errorf("complete %v with %d trials of 24", after.Complete, len(after.Trials))
			}
			for i, trial := range before.Trials {
				if after.Trials[i].Started != trial.Started {
					t.Errorf("trial %d was run again", trial.Index)
				}
			}
		})
	}
}
