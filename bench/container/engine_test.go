package container_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Each case runs in a process of its own, because Testcontainers caches the engine that
// it found.
func TestConnectErrorNamesTheAddressAndTheRemedy(t *testing.T) {
	for name, want := range map[string]string{
		"unix:///nonexistent/docker.sock": "unix:///nonexistent/docker.sock",
		"tcp://127.0.0.1:1":               "127.0.0.1:1",
		"nonsense":                        "nonsense",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := ownerCommand(t, modeAsk)
			cmd.Env = append(cmd.Env, "DOCKER_HOST="+name, "HOME="+t.TempDir())
			printed := output(t, cmd, 1)
			for _, want := range []string{"no container engine", want, "start Docker"} {
				if !strings.Contains(printed, want) {
					t.Errorf("output %q, without %q", printed, want)
				}
			}
		})
	}
}

func TestConnect(t *testing.T) {
	e := connect(t)
	if v := e.Version(); !strings.Contains(v, ", linux/") || !strings.HasPrefix(v, "Docker ") {
		t.Errorf("version %q", v)
	}
	if other := connect(t); other.Session() == e.Session() || e.Session() == "" {
		t.Errorf("two sessions are %q", e.Session())
	}
}

// output returns the output of a command, which must end with the exit code.
func output(t *testing.T, cmd *exec.Cmd, code int) string {
	t.Helper()
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		t.Fatalf("%v, want exit code %d\n%s", err, code, out)
	}
	return string(out)
}
