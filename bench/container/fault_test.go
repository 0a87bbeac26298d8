package container_test

import (
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"floodgate/results"
)

// A container that dies costs the current attempt at a trial, whose record names the
// reason, and no trial.
func TestContainerIsKilledInMidTrial(t *testing.T) {
	for _, role := range []string{"database", "upstream"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			available(t)
			dir := t.TempDir()
			h := runFile(t, dir, tiny(t, dir, true))
			h.untilTrials(1)
			id, _ := h.container(role)
			h.untilHalf()
			if _, err := h.engine.ContainerKill(t.Context(), id, client.ContainerKillOptions{Signal: "KILL"}); err != nil {
				t.Fatal(err)
			}
			if code := h.wait(); code != exitPassed {
				t.Errorf("exit code %d, want %d\n%s", code, exitPassed, h.printed())
			}
			h.leavesNothing(false)
			h.wantOutput(role, "exit code 137", "rerun because a server of the environment ended: 1 of 6 trials")
			r := h.open()
			if n := outcomes(r); !r.Complete || n[results.OutcomeOK] != trials {
				t.Fatalf("complete %v, trials %v; want %d measured\n%s", r.Complete, n, trials, h.printed())
			}
			var discarded []results.Discarded
			for _, trial := range r.Trials {
				discarded = append(discarded, trial.Discarded...)
			}
			if len(discarded) != 1 || !discarded[0].ServerEnded || !strings.Contains(discarded[0].Reason, role+" ended: exit code 137 (signal 9, killed)") {
				t.Errorf("discarded %+v", discarded)
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
