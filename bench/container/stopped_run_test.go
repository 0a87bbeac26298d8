//go:build linux

package container_test

import (
	"os"
	"path/filepath"
	"testing"

	"floodgate/results"
)

// The trials before the stop are stored, and the run can be resumed.
func TestTheEngineIsStoppedInMidRun(t *testing.T) {
	d := startDockerd(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "tiny.yaml")
	if err := os.WriteFile(file, []byte(tinyScenario), 0o644); err != nil {
		t.Fatal(err)
	}
	env := []string{"DOCKER_HOST=" + d.host}
	h := command(t, dir, env, "run", file, "--env", "containers", "--mongo-image", "embedded", "--out", "runs")
	h.untilTrials(2)
	d.stop()
	if code := h.wait(); code != exitUnmeasured {
		t.Errorf("exit code %d, want %d", code, exitUnmeasured)
	}
	_, id := h.stored()
	h.wantOutput("the docker API at "+d.host, "--resume "+id)
	if r := h.open(); r.Complete || outcomes(r)[results.OutcomeOK] < 2 {
		t.Errorf("complete %v, trials %v", r.Complete, outcomes(r))
	}
	if t.Failed() {
		t.Log(h.printed())
	}
}
