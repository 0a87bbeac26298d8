//go:build unix

package cli

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/bench/cli/command"
	"floodgate/bench/container/enginetest"
	"floodgate/results"
	"floodgate/results/verdict"
)

const engineScenario = `
version: 1
name: tiny
title: Tiny
seed: 1
items: {kind: phone-numbers, count: 2}
upstream:
  latency: {distribution: constant, value: 0s}
variants:
  - {strategy: sequential}
levels:
  - items: 2
blocks: 6
`

// quickGo is a compiler that takes no time: the engine of these tests runs nothing.
const quickGo = `#!/bin/sh
while [ $# -gt 1 ]; do
	[ "$1" = -o ] && echo program >"$2"
	shift
done
exit 0
`

// withEngine runs the command with an engine in a folder with tiny.yaml, and returns its
// exit code and its whole output.
func withEngine(t *testing.T, dir, host, scenario string, args ...string) (code int, printed string) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link, bin := filepath.Join(dir, "floodgate"), filepath.Join(dir, "bin")
	err = errors.Join(
		os.Symlink(executable, link), os.Mkdir(bin, 0o755), os.WriteFile(filepath.Join(bin, "go"), []byte(quickGo), 0o755),
		os.WriteFile(filepath.Join(dir, "tiny.yaml"), []byte(scenario), 0o644),
	)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(link, append([]string{"run", "tiny.yaml", "--out", "runs"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+host, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// crashing starts an engine on a machine that lacks the CPU features that MongoDB needs.
func crashing(t *testing.T) *enginetest.Engine {
	return enginetest.Serve(t, func(image string) enginetest.Behavior {
		if image == command.DefaultMongoImage {
			return enginetest.Behavior{ExitCode: 132, Output: "WARNING: MongoDB 5.0+ requires a CPU with AVX support"}
		}
		return enginetest.Behavior{}
	})
}

func TestImageThatCrashesHere(t *testing.T) {
	const reason = "image mongo:8 crashed: exit code 132 (signal 4, illegal instruction); MongoDB 5.0 and newer needs AVX"
	t.Run("auto", func(t *testing.T) {
		t.Parallel()
		engine, dir := crashing(t), t.TempDir()
		code, printed := withEngine(t, dir, engine.Host, engineScenario)
		if code != verdict.ExitPassed || !strings.Contains(printed, "environment: embedded (containers cannot be used here: "+reason+")") {
			t.Errorf("exit code %d, want %d and the reason\n%s", code, verdict.ExitPassed, printed)
		}
		found, _ := filepath.Glob(filepath.Join(dir, "runs", "*"))
		if len(found) != 1 {
			t.Fatalf("stored %q, want one run", found)
		}
		run, err := results.Open(found[0])
		if err != nil {
			t.Fatal(err)
		}
		if env := run.Header.Environment; env.Kind != "embedded" || env.Engine != "" || !strings.Contains(env.Chosen, reason) {
			t.Errorf("the record says %+v", env)
		}
		if left := engine.Left(); len(left) > 0 {
			t.Errorf("containers are left: %q", left)
		}
	})
	t.Run("containers", func(t *testing.T) {
		t.Parallel()
		engine := crashing(t)
		code, printed := withEngine(t, t.TempDir(), engine.Host, engineScenario, "--env", "containers")
		if code != verdict.ExitNotMeasured {
			t.Errorf("exit code %d, want %d", code, verdict.ExitNotMeasured)
		}
		for _, want := range []string{reason, "use --mongo-image mongo:4.4 or --env embedded", "requires a CPU with AVX support"} {
			if !strings.Contains(printed, want) {
				t.Errorf("no %q in:\n%s", want, printed)
			}
		}
		if left := engine.Left(); len(left) > 0 {
			t.Errorf("containers are left: %q", left)
		}
	})
}

// A run is refused if its containers do not get the scenario's limits.
func TestEngineThatDiscardsLimits(t *testing.T) {
	for name, c := range map[string]struct {
		image, scenario string
		args, want      []string
	}{
		"database": {
			command.DefaultMongoImage, "containers: {database: {cpus: 1, memory: 256MiB}}\n", nil,
			[]string{
				"container database lacks the limits that the scenario requires",
				"cpus: 1 is unlimited (HostConfig.NanoCpus), memory: 256MiB is unlimited (HostConfig.Memory)",
				"or remove the limits from the scenario",
			},
		},
		"sut": {
			"floodgate-sut", "sut: {container: true, cpus: 1}\n", []string{"--env", "embedded"},
			[]string{
				"container sut lacks the limits that the scenario requires: cpus: 1 is unlimited",
				`the engine warns: "Your kernel does not support CPU CFS quota. Quota discarded."`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine := enginetest.Serve(t, func(image string) enginetest.Behavior {
				if !strings.HasPrefix(image, c.image) {
					return enginetest.Behavior{}
				}
				return enginetest.Behavior{Unlimited: true, Warnings: []string{"Your kernel does not support CPU CFS quota. Quota discarded."}}
			})
			code, printed := withEngine(t, t.TempDir(), engine.Host, engineScenario+c.scenario, c.args...)
			if code != verdict.ExitNotMeasured {
				t.Errorf("exit code %d, want %d", code, verdict.ExitNotMeasured)
			}
			for _, want := range c.want {
				if !strings.Contains(printed, want) {
					t.Errorf("no %q in:\n%s", want, printed)
				}
			}
			if left := engine.Left(); len(left) > 0 {
				t.Errorf("containers are left: %q", left)
			}
		})
	}
}
