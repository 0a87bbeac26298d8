//go:build unix

package environment_test

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// The database that a killed harness wrote on the user's server is dropped.
func TestKilledHarnessLeavesNoDatabase(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	client, uri := theirs(t)
	cmd := exec.Command(os.Args[0], externalHarness, uri)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("harness said %q, %v", line, err)
	}
	if got := databases(t, client); !slices.Contains(got, "floodgate_x") {
		t.Errorf("databases %q, want the harness's among them", got)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	await(t, "the database is dropped", func() bool { return slices.Equal(databases(t, client), []string{"precious"}) })
}
