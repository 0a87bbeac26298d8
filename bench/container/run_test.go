package container_test

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/moby/client"

	"floodgate/bench/container"
	"floodgate/results"
)

func TestRunInContainers(t *testing.T) {
	e := available(t)
	h := run(t, t.TempDir())
	if code := h.wait(); code != exitPassed {
		t.Fatalf("exit code %d\n%s", code, h.printed())
	}
	h.leavesNothing(false)
	r := h.open()
	if n := outcomes(r); !r.Complete || n[results.OutcomeOK] != trials {
		t.Errorf("complete %v, trials %v of %d", r.Complete, n, trials)
	}
	env := r.Header.Environment
	if env.Kind != "containers" || env.Engine != e.Version() || env.Database == "" || env.Upstream == "" || env.Chosen != "" {
		t.Errorf("environment %+v", env)
	}
	for role, want := range map[string]results.Container{
		"upstream": {Image: "floodgate-upstream:" + hashOf(t, floodgate(t))[:12], CPUs: 1.5, Memory: 256 << 20},
		"database": {Image: databaseImage(t), CPUs: 2, Memory: 1 << 30},
	} {
		i := slices.IndexFunc(env.Containers, func(c results.Container) bool { return c.Name == role })
		if i < 0 {
			t.Errorf("no container %s in %+v", role, env.Containers)
			continue
		}
		got := env.Containers[i]
		if !strings.HasPrefix(got.ImageID, "sha256:") {
			t.Errorf("%s: image ID %q", role, got.ImageID)
		}
		if want.Name, want.ImageID = role, got.ImageID; got != want {
			t.Errorf("container %+v, want %+v", got, want)
		}
	}
	if len(env.Containers) != 2 {
		t.Errorf("%d containers", len(env.Containers))
	}
}

// databaseImage returns the name of the database's image in records.
func databaseImage(t *testing.T) string {
	t.Helper()
	if name := mongoImage(); name != "embedded" {
		return name
	}
	return "floodgate-mongo:" + hashOf(t, floodgate(t))[:12]
}

// However the command ends, its containers end as well, and the run can be resumed. For
// the containers a panic of the command is like kill -9: the reaper, another process,
// notices the end.
func TestRunIsStoppedAndResumed(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL, syscall.SIGABRT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			available(t)
			h := run(t, t.TempDir())
			h.untilTrials(2)
			h.untilHalf()
			if n := len(h.containers()); n != 2 {
				t.Errorf("%d containers run, want 2", n)
			}
			if err := h.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			code := h.wait()
			_, id := h.stored()
			if ordered := signal == syscall.SIGINT || signal == syscall.SIGTERM; ordered {
				if code != exitUnmeasured {
					t.Errorf("exit code %d, want %d", code, exitUnmeasured)
				}
				h.wantOutput("interrupted", "--resume "+id)
				h.leavesNothing(false)
			} else {
				h.leavesNothing(true)
			}
			before := h.open()
			if before.Complete || len(before.Trials) < 2 {
				t.Fatalf("complete %v with %d trials", before.Complete, len(before.Trials))
			}
			again := command(t, h.dir, nil, "run", "--resume", id, "--out", "runs")
			if code := again.wait(); code != exitPassed {
				t.Fatalf("exit code %d\n%s", code, again.printed())
			}
			again.leavesNothing(false)
			after := again.open()
			if n := outcomes(after); !after.Complete || n[results.OutcomeOK] != trials {
				t.Errorf("complete %v, trials %v of %d", after.Complete, n, trials)
			}
			for i, trial := range before.Trials {
				if after.Trials[i].Started != trial.Started {
					t.Errorf("trial %d was run again", trial.Index)
				}
			}
		})
	}
}

// A named image is treated like mongo:8. This one is the built-in database under another
// name, so that no registry is needed. Its version is recorded, and the run is resumed
// with the same image.
func TestRunWithANamedImage(t *testing.T) {
	e := available(t)
	ours, err := e.Build(t.Context(), container.RoleMongo, floodgate(t), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	name := "floodgate-test:" + strings.ToLower(rand.Text())
	c := docker(t)
	if _, err := c.ImageTag(t.Context(), client.ImageTagOptions{Source: ours, Target: name}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := c.ImageRemove(context.Background(), name, client.ImageRemoveOptions{}); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	h := command(t, dir, nil, "run", tiny(t, dir, true), "--env", "auto", "--mongo-image", name, "--out", "runs")
	h.untilTrials(1)
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := h.wait(); code != exitUnmeasured {
		t.Fatalf("exit code %d, want %d\n%s", code, exitUnmeasured, h.printed())
	}
	h.leavesNothing(false)
	_, id := h.stored()
	again := command(t, dir, nil, "run", "--resume", id, "--out", "runs")
	if code := again.wait(); code != exitPassed {
		t.Fatalf("exit code %d\n%s", code, again.printed())
	}
	again.leavesNothing(false)
	env := again.open().Header.Environment
	if i := slices.IndexFunc(env.Containers, func(c results.Container) bool { return c.Image == name }); i < 0 || env.Database == "" || env.Chosen == "" {
		t.Errorf("environment %+v", env)
	}
}
