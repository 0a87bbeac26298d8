//go:build linux

package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"floodgate/bench/internal/repotest"
	"floodgate/bench/internal/scripttest"
	"floodgate/results"
	"floodgate/results/verdict"
)

// sameScenario is small, and its margin is so large that noise does not matter.
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

// user is the module of a user of our library, in its own repository.
type user struct {
	*repotest.Repository
	base string
}

// newUser commits a program that speaks the protocol, and changes it afterward.
func newUser(t *testing.T) *user {
	t.Helper()
	base := t.TempDir()
	u := &user{Repository: repotest.Init(t, filepath.Join(base, "repo")), base: base}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := scripttest.WriteUserModule(u.Top, root); err != nil {
		t.Fatal(err)
	}
	u.Write("small.yaml", sameScenario)
	for descriptors := range 2 {
		u.Write("sut/plant.go", fmt.Sprintf("package main\n\nconst (\n\tprotocol    = 1\n\tdescriptors = %d\n\tlost        = 0\n)\n", descriptors))
		if descriptors == 0 {
			u.Commit("head")
		}
	}
	return u
}

// gate starts the command in the repository.
func (u *user) gate(ref string, args ...string) *harness {
	u.T.Helper()
	return startCommand(u.T, u.base, u.Top, []string{"GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off"}, append([]string{
		"gate", "diff", "--build", "./sut", "--env", "embedded", "--margin", "400%", "--out", u.gates(), "--format", "json", ref, "./small.yaml",
	}, args...)...)
}

func (u *user) gates() string { return filepath.Join(u.base, "gates") }

func TestGateDiffIsInterruptedOrKilled(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			before := repotest.ReadState(t, u.Top)
			h := u.gate("HEAD", "--margin", "0%") // takes long
			sut := h.afterTrials(7)               // at least two of each revision, after the warm-up
			if code := h.signal(sut, signal); signal != syscall.SIGKILL && (code != verdict.ExitNotMeasured || !strings.Contains(h.stderr.String(), "interrupted")) {
				t.Errorf("exit code %d\n%s", code, h.stderr.String())
			}
			for _, revision := range []string{"a", "b"} {
				files, _ := filepath.Glob(filepath.Join(u.gates(), "*", "unfinished", revision, results.FileName))
				if len(files) != 1 {
					t.Fatalf("stored %q of %s, want one record", files, revision)
				}
				run, err := results.Open(filepath.Dir(files[0]))
				if err != nil || run.Complete || len(run.Trials) < 2 {
					t.Errorf("record of %s: %+v, %v; want two trials or more, and no end", revision, run, err)
				}
			}
			before.Same(t, u.Top)
			if signal == syscall.SIGKILL { // the next one removes the programs that it built
				if again := u.gate("HEAD", "--level", "nosuch"); again.wait() != verdict.ExitMisused {
					t.Error(again.stderr.String())
				}
				if again := u.gate("HEAD", "--build", "."); again.wait() != verdict.ExitNotMeasured { // not a program
					t.Error(again.stderr.String())
				}
			}
			h.clean()
		})
	}
}
