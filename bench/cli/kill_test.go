//go:build linux

package cli

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"floodgate/bench/cli/command"
	"floodgate/bench/load/generator"
	"floodgate/results"
	"floodgate/results/verdict"
)

// killScenario is long enough to be interrupted.
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

// harness is a running command in a folder of its own.
type harness struct {
	t        *testing.T
	dir      string
	cmd      *exec.Cmd
	children *family
	ended    chan struct{}
	stderr   bytes.Buffer // complete once the command has ended
	stdout   bytes.Buffer
}

// startCommand starts the command in a folder. Its temporary files are in dir/tmp.
func startCommand(t *testing.T, dir, in string, env []string, args ...string) *harness {
	t.Helper()
	h := &harness{t: t, dir: dir, children: newFamily(t), ended: make(chan struct{})}
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.cmd = asCommand(t, t.TempDir(), args...)
	h.cmd.Dir = in
	h.cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(dir, "tmp"), childrenVariable+"="+h.children.socket)
	h.cmd.Env = append(h.cmd.Env, env...)
	h.cmd.Stderr, h.cmd.Stdout = &h.stderr, &h.stdout
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(h.ended); _ = h.cmd.Wait() }()
	t.Cleanup(func() { _ = h.cmd.Process.Kill(); <-h.ended })
	return h
}

func startRun(t *testing.T, dir string, args ...string) *harness {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "kill.yaml"), []byte(killScenario), 0o644); err != nil {
		t.Fatal(err)
	}
	return startCommand(t, dir, dir, nil, append([]string{"run", "--env", "embedded"}, args...)...)
}

// afterTrials lets n trials run and returns the SUT of the next one, which is about to
// start.
func (h *harness) afterTrials(n int) *process {
	h.t.Helper()
	for {
		select {
		case sut := <-h.children.waiting:
			if n == 0 {
				return sut
			}
			n--
			sut.begin <- struct{}{}
		case <-h.ended:
			h.t.Fatalf("the command ended before %d more trials\n%s", n, h.stderr.String())
		}
	}
}

// wait lets all further trials run and returns the exit code.
func (h *harness) wait() int {
	h.t.Helper()
	close(h.children.free)
	<-h.ended
	return h.cmd.ProcessState.ExitCode()
}

// signal sends a signal to the command while a trial is about to start, and waits until
// it and all of its children have ended.
func (h *harness) signal(sut *process, signal syscall.Signal) (code int) {
	h.t.Helper()
	children := h.children.alive()
	if len(children) < 3 {
		h.t.Errorf("%d children, want a SUT, an upstream and a database", len(children))
	}
	if err := h.cmd.Process.Signal(signal); err != nil {
		h.t.Fatal(err)
	}
	sut.begin <- struct{}{}
	code = h.wait()
	for _, p := range children {
		<-p.ended
	}
	return code
}

// id returns the ID of the run.
func (h *harness) id() string {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.dir, command.DefaultRoot, "*", results.FileName))
	if err != nil || len(files) != 1 {
		h.t.Fatalf("stored %q, %v; want one run", files, err)
	}
	return filepath.Base(filepath.Dir(files[0]))
}

func (h *harness) open() *results.Run {
	h.t.Helper()
	run, err := results.Open(filepath.Join(h.dir, command.DefaultRoot, h.id()))
	if err != nil {
		h.t.Fatal(err)
	}
	return run
}

// clean checks that no temporary folder is left.
func (h *harness) clean() {
	h.t.Helper()
	left, err := os.ReadDir(filepath.Join(h.dir, "tmp"))
	if err != nil || len(left) > 0 {
		h.t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// children returns the processes below a parent, by hidden subcommand.
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

func TestKillAChildInMidRun(t *testing.T) {
	for kind, want := range map[string]struct {
		exit           int
		crashed, rerun int // trials
		note           string
	}{
		"sut-child":      {verdict.ExitInconclusive, 1, 0, ""}, // it has an outcome, but is not evidence for the claim
		"mongo-child":    {verdict.ExitPassed, 0, 1, "rerun because a server of the environment ended: 1 of 24 trials, trial 2 first: mongo ended: signal: killed"},
		"upstream-child": {verdict.ExitPassed, 0, 1, "rerun because a server of the environment ended: 1 of 24 trials, trial 2 first: upstream ended: signal: killed"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := startRun(t, t.TempDir(), "./kill.yaml")
			sut := h.afterTrials(2)
			victim := h.children.one(t, kind)
			if err := syscall.Kill(victim.pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			sut.begin <- struct{}{}
			<-victim.ended
			if code := h.wait(); code != want.exit {
				t.Errorf("exit code %d, want %d\n%s\n%s", code, want.exit, h.stdout.String(), h.stderr.String())
			}
			run := h.open()
			if !run.Complete || len(run.Trials) != 24 {
				t.Errorf("complete %v with %d trials of 24", run.Complete, len(run.Trials))
			}
			crashed, rerun := 0, 0
			for _, trial := range run.Trials {
				rerun += len(trial.Discarded)
				if trial.Outcome == results.OutcomeCrashed && trial.Reason != "" {
					crashed++
				} else if trial.Outcome != results.OutcomeOK {
					t.Errorf("trial %d: %s: %q", trial.Index, trial.Outcome, trial.Reason)
				}
			}
			if crashed != want.crashed || rerun != want.rerun { // the next one succeeds
				t.Errorf("%d trials crashed, and %d attempts were discarded, want %d and %d", crashed, rerun, want.crashed, want.rerun)
			}
			if printed := strings.Join(strings.Fields(h.stdout.String()), " "); !strings.Contains(printed, want.note) { // lines are wrapped
				t.Errorf("no note %q in\n%s", want.note, h.stdout.String())
			}
			h.clean()
		})
	}
}

func TestKillTheHarnessAndResume(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			h := startRun(t, t.TempDir(), "./kill.yaml")
			code, id := h.signal(h.afterTrials(3), signal), h.id()
			if signal != syscall.SIGKILL {
				if code != verdict.ExitNotMeasured || !strings.Contains(h.stderr.String(), "--resume "+id) {
					t.Errorf("exit code %d, %s", code, h.stderr.String())
				}
			}
			h.clean()
			before := h.open()
			if before.Complete || len(before.Trials) != 3 {
				t.Fatalf("complete %v with %d trials", before.Complete, len(before.Trials))
			}
			again := startRun(t, h.dir, "--resume", id)
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

// A shard that was killed stays the same shard when it is resumed.
func TestKillAShardAndResume(t *testing.T) {
	t.Parallel()
	h := startRun(t, t.TempDir(), "./kill.yaml", "--shard", "2/4")
	h.signal(h.afterTrials(3), syscall.SIGKILL)
	h.clean()
	again := startRun(t, h.dir, "--resume", h.id())
	if code := again.wait(); code != verdict.ExitInconclusive {
		t.Fatalf("exit code %d\n%s", code, again.stderr.String())
	}
	run := again.open()
	if shard := run.Header.Shard; !run.Complete || len(run.Trials) != 24 || shard == nil || shard.String() != "shard 2 of 4" {
		t.Fatalf("complete %v with %d trials of 24, %v", run.Complete, len(run.Trials), shard)
	}
	for _, trial := range run.Trials {
		want := map[string]int{"items=10": 3, "items=15": 4}[trial.LevelName]
		if trial.Outcome != results.OutcomeOK || trial.Items != want || *trial.ItemsDone != want || trial.Documents.Found != want || trial.Upstream.Requests != want {
			t.Errorf("trial %d (%s): %s %s, %d items, documents %+v", trial.Index, trial.LevelName, trial.Outcome, trial.Reason, trial.Items, trial.Documents)
		}
	}
	again.clean()
}

// Load generators end with the command, however it ends.
func TestKillTheHarnessWithGenerators(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(service.Close)
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			h := startCommand(t, dir, dir, nil, "attack", "--for", "10m", "--generators", "3", "GET", service.URL+"/")
			var generators []*process
			for len(generators) < 2 {
				select {
				case g := <-h.children.waiting:
					generators = append(generators, g)
				case <-h.ended:
					t.Fatalf("the command ended with %d generators\n%s%s", len(generators), h.stdout.String(), h.stderr.String())
				}
			}
			if err := h.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			for _, g := range generators {
				g.begin <- struct{}{}
			}
			code := h.wait()
			for _, g := range generators {
				if <-g.ended; g.kind != generator.ChildArg {
					t.Errorf("a child is a %s", g.kind)
				}
			}
			if signal != syscall.SIGKILL && (code != verdict.ExitNotMeasured || !strings.Contains(h.stderr.String(), "interrupted")) {
				t.Errorf("exit code %d, %s", code, h.stderr.String())
			}
			h.clean()
		})
	}
}
