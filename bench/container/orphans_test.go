package container_test

import (
	"strconv"
	"testing"
)

// The next run, or "floodgate doctor --clean", removes what neither its owner nor the
// reaper could remove. Both leave alone what is in use.
func TestTheCommandRemovesLeftoversOfAKilledProcess(t *testing.T) {
	for name, c := range map[string]struct {
		args       []string
		wantOutput string
		code       int
	}{
		"doctor": {[]string{"doctor", "--clean", "--mongo-image", "embedded"}, "removed container ", exitPassed},
		// The image does not exist, so the run ends there.
		"run": {[]string{"run", "--env", "containers", "--mongo-image", "127.0.0.1:1/none:1", "--out", "runs"}, "a leftover of a killed run", exitUnmeasured},
	} {
		t.Run(name, func(t *testing.T) {
			e := connect(t)
			floodgate(t) // build first, as the build removes images at its end
			killed, living := startOwner(t), startOwner(t)
			killed.kill()
			orphan := found(t, e, killed.id)
			h := command(t, t.TempDir(), nil, c.args...)
			if code := h.wait(); code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, h.printed())
			}
			h.wantOutput(c.wantOutput, orphan.Name)
			if exists(t, killed.id) || !exists(t, living.id) {
				t.Errorf("the orphan is there: %v, the other: %v\n%s", exists(t, killed.id), exists(t, living.id), h.printed())
			}
			if printed := living.end(); printed != "" {
				t.Error(printed)
			}
		})
	}
}

// Without --clean, the doctor lists the orphan and leaves it.
func TestTheDoctorListsAndLeaves(t *testing.T) {
	connect(t)
	floodgate(t)
	o := startOwner(t)
	o.kill()
	t.Cleanup(func() { removeContainer(t, o.id) })
	h := command(t, t.TempDir(), nil, "doctor", "--format", "json", "--mongo-image", "embedded")
	if code := h.wait(); code != exitPassed {
		t.Errorf("exit code %d\n%s", code, h.printed())
	}
	h.wantOutput("process "+strconv.Itoa(o.process.Pid)+", which started it, has ended", "doctor --clean")
	if !exists(t, o.id) {
		t.Error("it was removed")
	}
}
