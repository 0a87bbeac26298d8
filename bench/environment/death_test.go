//go:build unix

package environment_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"floodgate/bench/environment"
)

// await waits until holds returns true.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

// lives reports whether a process exists and is not a zombie.
func lives(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// stop stops a process and waits until all of its threads have stopped, because kill
// returns earlier, and a thread that still runs can answer.
func stop(t *testing.T, pid int) {
	t.Helper()
	signal(t, pid, syscall.SIGSTOP)
	await(t, "all threads have stopped", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, file := range threads {
			if stat, err := os.ReadFile(file); err == nil && !strings.Contains(string(stat), ") T ") {
				return false
			}
		}
		return true
	})
}

func TestKilledChildIsRestarted(t *testing.T) {
	e := start(t, environment.Options{Link: true, LogDir: t.TempDir()})
	configure(t, e)
	for _, name := range []string{"mongo", "upstream", "dbproxy"} {
		if err := use(t, e, "before"); err != nil {
			t.Fatal(err)
		}
		signal(t, e.PIDs()[name], syscall.SIGKILL)
		await(t, name+" is known to have died", func() bool { return len(e.Died()) == 1 })
		if err := useWithin(t, e, "dead", 100*time.Millisecond); err == nil { // no timeout would be long enough
			t.Errorf("%s is dead, but the item was written", name)
		}
		died, err := e.Ensure(t.Context())
		if err != nil || len(died) != 1 || !strings.HasPrefix(died[0], name+" ended: signal: killed") {
			t.Fatalf("Ensure after %s was killed: %q, %v", name, died, err)
		}
		if err := use(t, e, "after"); err != nil {
			t.Errorf("after %s was restarted: %v", name, err)
		}
		if died, err := e.Ensure(t.Context()); len(died) != 0 || err != nil || len(e.Died()) != 0 {
			t.Errorf("second Ensure: %q, %v", died, err)
		}
	}
}

func TestAllKilledAtOnce(t *testing.T) {
	e := start(t, environment.Options{Link: true})
	for _, pid := range e.PIDs() {
		signal(t, pid, syscall.SIGKILL)
	}
	await(t, "all are known to have died", func() bool { return len(e.Died()) == 3 })
	if died, err := e.Ensure(t.Context()); len(died) != 3 || err != nil {
		t.Errorf("Ensure: %q, %v", died, err)
	}
	if err := use(t, e, "a"); err != nil {
		t.Error(err)
	}
}

func TestHungChildIsReplaced(t *testing.T) {
	t.Parallel() // most of it is waiting, as in TestExternalIsNotRestarted
	e, err := environment.Start(t.Context(), environment.Options{LogDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	e.AnswerWithin(4 * time.Second) // more than the running upstream needs
	stop(t, e.PIDs()["mongo"])
	died, err := e.Ensure(t.Context())
	if err != nil || len(died) != 1 || !strings.Contains(died[0], "did not answer") {
		t.Errorf("Ensure: %q, %v", died, err)
	}
	if err := use(t, e, "a"); err != nil {
		t.Error(err)
	}
}

func TestChildrenIgnoreInterrupts(t *testing.T) {
	e := start(t, environment.Options{Link: true})
	for name, pid := range e.PIDs() {
		if group, err := syscall.Getpgid(pid); err != nil || group != pid {
			t.Errorf("%s is in process group %d, %v, want one of its own", name, group, err)
		}
		signal(t, pid, syscall.SIGINT)
	}
	if died, err := e.Ensure(t.Context()); len(died) != 0 || err != nil {
		t.Errorf("died of an interrupt: %q, %v", died, err)
	}
}

func TestTerminatedChildrenCleanUp(t *testing.T) {
	e := start(t, environment.Options{})
	for _, pid := range e.PIDs() {
		signal(t, pid, syscall.SIGTERM)
	}
	await(t, "both have ended", func() bool { return len(e.Died()) == 2 })
	for _, name := range temporary(t) {
		if strings.HasPrefix(name, "floodgate-mongo") {
			t.Errorf("left %s", name)
		}
	}
}

// startHarness starts another process with an environment in the test's temporary folder,
// and returns it and the process IDs of its children.
func startHarness(t *testing.T) (*exec.Cmd, map[string]int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], harnessCommand)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pids map[string]int
	if err := json.Unmarshal(line, &pids); err != nil || len(pids) != 3 {
		t.Fatalf("harness has children %v, %v", pids, err)
	}
	return cmd, pids
}

func TestKilledParentLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	cmd, pids := startHarness(t)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for name, pid := range pids {
		await(t, name+" ends", func() bool { return !lives(pid) })
	}
	for _, name := range temporary(t) {
		if !strings.HasPrefix(name, "floodgate-log-") { // the parent's own log, which the next start removes
			t.Errorf("left %s", name)
		}
	}
	start(t, environment.Options{}) // its Close must find nothing left
}

func TestNextStartRemovesLeftoversOfKilledProcesses(t *testing.T) {
	parent := t.TempDir()
	t.Setenv("TMPDIR", parent)
	mine := filepath.Join(parent, "floodgate-mongo-mine")
	if err := os.Mkdir(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	_, running := startHarness(t)
	cmd, pids := startHarness(t)
	for _, pid := range append([]int{cmd.Process.Pid}, pids["mongo"], pids["upstream"], pids["dbproxy"]) {
		stop(t, pid) // so that none notices that another ended
	}
	// Kill the harness last: when it ends, the kernel continues its stopped children,
	// whose process groups are orphaned, and they would end regularly.
	for _, pid := range []int{pids["mongo"], pids["upstream"], pids["dbproxy"], cmd.Process.Pid} {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = cmd.Wait()
	await(t, "all are dead", func() bool { return !lives(pids["mongo"]) && !lives(pids["upstream"]) })
	if left := temporary(t); len(left) != 5 {
		t.Fatalf("%q are there, want those of two harnesses and mine", left)
	}
	e, err := environment.Start(t.Context(), environment.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	// The folders of the running harness and the foreign one stay.
	if left := temporary(t); len(left) != 3 {
		t.Errorf("left %q, want those of one harness and mine", left)
	}
	for name, pid := range running {
		if !lives(pid) {
			t.Errorf("%s of another harness was harmed", name)
		}
	}
}
