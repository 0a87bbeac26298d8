package container_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"floodgate/results"
)

// A container that dies invalidates the current trial, whose record names the reason, and
// no other.
func TestContainerIsKilledInMidTrial(t *testing.T) {
	for role, side := range map[string]string{"database": "mongo", "upstream": "upstream"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			available(t)
			dir := t.TempDir()
			// A write must not outlast the restart of the database, where it would succeed.
			file := filepath.Join(dir, "short.yaml")
			if err := os.WriteFile(file, []byte(strings.ReplaceAll(tinyScenario+tinyLimits, "15s", "2s")), 0o644); err != nil {
				t.Fatal(err)
			}
			h := runFile(t, dir, file)
			h.untilTrials(1)
			id, _ := h.container(role)
			h.untilHalf()
			if _, err := h.engine.ContainerKill(t.Context(), id, client.ContainerKillOptions{Signal: "KILL"}); err != nil {
				t.Fatal(err)
			}
			if code := h.wait(); code != exitUnmeasured {
				t.Errorf("exit code %d, want %d\n%s", code, exitUnmeasured, h.printed())
			}
			h.leavesNothing(false)
			h.wantOutput(role, "exit code 137")
			r := h.open()
			if n := outcomes(r); !r.Complete || n[results.OutcomeOK] != trials-1 || n[results.OutcomeFailed] != 1 {
				t.Fatalf("complete %v, trials %v; want one of %d failed\n%s", r.Complete, n, trials, h.printed())
			}
			bad := notOK(r)[0]
			if !strings.Contains(bad.Reason, role+" ended: exit code 137 (signal 9, killed)") {
				t.Errorf("trial %d: reason %q", bad.Index, bad.Reason)
			}
			if !slices.ContainsFunc(bad.Errors, func(e results.ErrorCount) bool { return e.Side == side && e.Type != "other" && e.Count > 0 }) {
				t.Errorf("trial %d: no typed error of %s: %+v", bad.Index, side, bad.Errors)
			}
			if left := r.Trials[len(r.Trials)-1]; left.Documents == nil || left.Documents.Lost != 0 {
				t.Errorf("the last trial did not start clean: %+v", left.Documents)
			}
		})
	}
}

func TestRunExplainsMissingContainers(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"an image that no registry gives": {
			[]string{"--mongo-image", "127.0.0.1:1/none:1"}, []string{"127.0.0.1:1/none:1", "docker load", "--mongo-image embedded"},
		},
		"arguments that the database does not know": {
			[]string{"--mongo-args", "--no-such-flag"}, []string{"start database", "the end of its log", "no-such-flag"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			available(t)
			h := run(t, t.TempDir(), c.args...)
			if code := h.wait(); code != exitUnmeasured {
				t.Errorf("exit code %d, want %d", code, exitUnmeasured)
			}
			h.wantOutput(c.want...)
			h.leavesNothing(false)
			if n, _ := h.stored(); n != 0 {
				t.Error("a run was stored")
			}
		})
	}
}
