//go:build linux

package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"floodgate/bench/abtest"
	"floodgate/bench/internal/repotest"
	"floodgate/results"
	verdicts "floodgate/results/pairs"
	"floodgate/results/verdict"
)

// sameScenario is small, and its margin such that noise decides nothing.
const sameScenario = `
version: 1
name: small
title: Small
seed: 7
items: {kind: phone-numbers}
upstream: {latency: {distribution: constant, value: 10ms}, late_bound: 10s}
sut: {nofile: 256, timeout: 60s}
variants: [{strategy: sequential}, {strategy: bounded, limit: 4}]
levels: [{items: [5, 8]}]
blocks: 6
`

// plant is what the user's program does.
type plant struct{ protocol, descriptors, lost int }

// user is a module of somebody who uses our library, in a repository of its own.
type user struct {
	*repotest.Repository
	base string
}

// newUser commits two revisions: one whose protocol nobody speaks, and HEAD, as given.
func newUser(t *testing.T, head plant) *user {
	t.Helper()
	base := t.TempDir()
	u := &user{Repository: repotest.Init(t, filepath.Join(base, "repo")), base: base}
	ours, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// What leads out of the repository must be found from elsewhere, too.
	if err := os.Symlink(ours, filepath.Join(base, "floodgate")); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(mod), "\n")
	u.Write("go.mod", "module example.com/user\n"+rest+"\nrequire floodgate v0.0.0\n\nreplace floodgate => ../floodgate\n")
	for to, from := range map[string]string{"go.sum": "../../go.sum", "sut/main.go": "testdata/user/main.go.txt"} {
		src, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		u.Write(to, string(src))
	}
	u.Write("small.yaml", sameScenario)
	u.plant(plant{protocol: 99})
	u.Commit("another protocol")
	u.plant(head)
	u.Commit("head")
	return u
}

func (u *user) plant(p plant) {
	u.T.Helper()
	u.Write("sut/plant.go", fmt.Sprintf("package main\n\nconst (\n\tprotocol    = %d\n\tdescriptors = %d\n\tlost        = %d\n)\n", p.protocol, p.descriptors, p.lost))
}

// gate starts the command in the repository.
func (u *user) gate(ref string, args ...string) *harness {
	u.T.Helper()
	executable, err := os.Executable()
	if err != nil {
		u.T.Fatal(err)
	}
	h := &harness{t: u.T, dir: u.base}
	link := filepath.Join(u.base, "floodgate-command", "floodgate") // so named, the test binary is the command
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		u.T.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(u.base, "tmp"), 0o755); err != nil {
		u.T.Fatal(err)
	}
	if _, err := os.Lstat(link); err != nil {
		if err := os.Symlink(executable, link); err != nil {
			u.T.Fatal(err)
		}
	}
	h.cmd = exec.Command(link, append([]string{
		"gate", "diff", "--build", "./sut", "--env", "embedded", "--margin", "400%", "--out", u.gates(), "--format", "json", ref, "./small.yaml",
	}, args...)...)
	h.cmd.Dir = u.Top
	h.cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(u.base, "tmp"), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	h.cmd.Stderr, h.cmd.Stdout = &h.stderr, &h.stdout
	if err := h.cmd.Start(); err != nil {
		u.T.Fatal(err)
	}
	u.T.Cleanup(func() { h.cmd.Process.Kill(); h.cmd.Wait() })
	return h
}

func (u *user) gates() string { return filepath.Join(u.base, "gates") }

// printed is the verdict that the command printed.
func printed(t *testing.T, h *harness, exit int) *verdicts.Outcome {
	t.Helper()
	var v verdicts.Outcome
	if code := h.wait(); code != exit {
		t.Fatalf("exit code %d, want %d\n%s\n%s", code, exit, h.stdout.String(), h.stderr.String())
	}
	if err := json.Unmarshal(h.stdout.Bytes(), &v); err != nil {
		t.Fatalf("%v\n%s\n%s", err, h.stdout.String(), h.stderr.String())
	}
	return &v
}

func (u *user) untouched(t *testing.T, h *harness, before repotest.State) {
	t.Helper()
	before.Same(t, u.Top)
	h.clean()
}

func TestAgainstAnotherRevisionOfAUsersModule(t *testing.T) {
	const errors, documents, peak, left = "errors", "documents lost or corrupt", "peak descriptors", "descriptors leaked"
	for name, c := range map[string]struct {
		tree  plant
		exit  int
		worse []string
		sut   string // of the scenario, in place of --build; empty means --build
	}{
		"the same":          {plant{protocol: 1}, verdict.ExitPassed, nil, ""},
		"loses a write":     {plant{protocol: 1, lost: 1}, verdict.ExitFailed, []string{documents}, "command: [./sut], "},
		"keeps descriptors": {plant{protocol: 1, descriptors: 20}, verdict.ExitFailed, []string{peak}, "command: [bin/program], build: [go, build, -o, bin/program, ./sut], "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t, plant{protocol: 1})
			u.plant(c.tree)
			args := []string{"--build", "./sut"}
			if c.sut != "" {
				args[1] = ""
				u.Write("small.yaml", strings.Replace(sameScenario, "sut: {", "sut: {"+c.sut, 1))
			}
			before := repotest.Look(t, u.Top)
			h := u.gate("main", args...)
			v := printed(t, h, c.exit)
			var worse []string
			for _, count := range v.Counts {
				if count.Decision == "worse" {
					worse = append(worse, count.What)
				}
			}
			if len(v.Counts) != 5 || !slices.Equal(worse, c.worse) {
				t.Errorf("worse: %q, want %q of %+v", worse, c.worse, v.Counts)
			}
			if v.A.Name != "main" || v.B.Modified != (c.tree != plant{protocol: 1}) || !strings.Contains(strings.Join(v.Notes, "\n"), "floodgate is replaced by ../floodgate") {
				t.Errorf("A %+v, B %+v, notes %q", v.A, v.B, v.Notes)
			}
			if variant := v.Cells[0].Variant + " at " + v.Cells[0].Level; len(v.Cells) != 1 || variant != "bounded-4 at items=8" {
				t.Errorf("cells %+v", v.Cells)
			}
			for name, side := range map[string]verdicts.Side{"a": v.A, "b": v.B} {
				run, err := results.Open(filepath.Join(v.Records, name))
				if err != nil || !run.Complete || len(run.Trials) == 0 {
					t.Fatalf("record of %s: %v, %+v", name, err, run)
				}
				if sut, f := run.Header.SUT, run.Header.Fingerprint; sut == nil || sut.Revision != side.Revision || sut.Modified != side.Modified || f.Revision == side.Revision || f.Go != side.Toolchain || side.Toolchain == "" {
					t.Errorf("record of %s: SUT %+v, fingerprint %+v; want the revision and the tool chain of %+v", name, sut, f, side)
				}
			}
			if _, err := os.Stat(filepath.Join(v.Records, abtest.VerdictFile)); err != nil {
				t.Error(err)
			}
			u.untouched(t, h, before)
		})
	}
}

func TestAgainstWhatCannotBeMeasured(t *testing.T) {
	t.Parallel()
	u := newUser(t, plant{protocol: 1})
	before := repotest.Look(t, u.Top)
	h := u.gate("HEAD~1")
	if v := printed(t, h, verdict.ExitNotMeasured); !strings.Contains(v.Unmeasured, "A could not start: ") || !strings.Contains(v.Unmeasured, "version 99 of the protocol, expected 1") {
		t.Errorf("unmeasured: %q", v.Unmeasured)
	}
	u.untouched(t, h, before)
	for _, c := range []struct {
		args []string
		exit int
		says string
	}{
		{[]string{"nosuch"}, verdict.ExitMisused, `floodgate: commit "nosuch": this repository has no such commit`},
		{[]string{"HEAD", "--build", "./nosuch"}, verdict.ExitMisused, `--build "./nosuch": no such folder`},
		{[]string{"HEAD", "--build", ""}, verdict.ExitMisused, "--build ./PACKAGE"},
		{[]string{"HEAD", "--variants", "bounded"}, verdict.ExitMisused, `unknown variant "bounded" at items=8 (want sequential, bounded-4`},
		{[]string{"HEAD", "--level", "items=6"}, verdict.ExitMisused, `unknown level "items=6" in scenario small (want "items=5", "items=8"`},
	} {
		h := u.gate(c.args[0], c.args[1:]...)
		if code := h.wait(); code != c.exit || !strings.Contains(h.stderr.String(), c.says) || h.stdout.Len() > 0 {
			t.Errorf("%q: exit code %d, want %d with %q\n%s\n%s", c.args, code, c.exit, c.says, h.stdout.String(), h.stderr.String())
		}
		u.untouched(t, h, before)
	}
}

func TestAgainstIsInterruptedOrKilled(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			u := newUser(t, plant{protocol: 1})
			u.plant(plant{protocol: 1, descriptors: 1})
			before := repotest.Look(t, u.Top)
			h := u.gate("HEAD", "--margin", "0%") // goes on for long
			var pids []int
			h.until("two pairs are stored, and a SUT runs", func() bool {
				files, _ := filepath.Glob(filepath.Join(u.gates(), "*", "unfinished", "b", results.FileName))
				if len(files) == 0 {
					return false
				}
				src, _ := os.ReadFile(files[0])
				pids = nil
				for _, all := range children(h.cmd.Process.Pid) {
					pids = append(pids, all...)
				}
				return strings.Count(string(src), "\n") > 2 && len(pids) >= 3
			})
			if err := h.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if code := h.wait(); signal != syscall.SIGKILL && (code != verdict.ExitNotMeasured || !strings.Contains(h.stderr.String(), "interrupted")) {
				t.Errorf("exit code %d\n%s", code, h.stderr.String())
			}
			for _, pid := range pids {
				h.until(fmt.Sprintf("process %d ends", pid), func() bool { return !alive(pid) })
			}
			before.Same(t, u.Top)
			if signal == syscall.SIGKILL { // the next one removes what it built
				if again := u.gate("HEAD", "--level", "nosuch"); again.wait() != verdict.ExitMisused {
					t.Error(again.stderr.String())
				}
				if again := u.gate("HEAD", "--build", "."); again.wait() != verdict.ExitNotMeasured { // no program
					t.Error(again.stderr.String())
				}
			}
			h.clean()
		})
	}
}
