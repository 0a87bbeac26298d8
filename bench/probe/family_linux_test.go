package probe_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"floodgate/bench/probe"
)

// A family is what runs in a process group, and what inherited a variable wherever it went.
func TestFamily(t *testing.T) {
	const variable = "PROBE_TEST_FAMILY=one of a kind"
	begin := func(variable string, group int) int {
		t.Helper()
		cmd := exec.Command("sh", "-c", "echo; read end")
		cmd.Env = append(os.Environ(), variable)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil { // it is the shell
			t.Fatal(err)
		}
		return cmd.Process.Pid
	}
	leader := begin("PROBE_TEST_FAMILY=another", 0)
	member := begin("PROBE_TEST_FAMILY=another", leader)
	relative := begin(variable, 0)
	stranger := begin("PROBE_TEST_FAMILY=another", 0)
	family, err := probe.Family(leader, variable)
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, r := range family {
		pids = append(pids, r.PID)
		if r.Parent != os.Getpid() || r.Name != "sh" {
			t.Errorf("%+v, want sh, a child of %d", r, os.Getpid())
		}
	}
	want := []int{leader, member, relative}
	slices.Sort(want)
	if !slices.Equal(pids, want) {
		t.Errorf("family %v, want %v", pids, want)
	}
	if !probe.Began(relative, variable) || probe.Began(stranger, variable) {
		t.Error("the variable of a process is not known")
	}
}

// The ID of a thread leads to its process.
func TestProcessOfThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			t.Fatal(err)
		}
		pid, err := probe.ProcessOf(id)
		if errors.Is(err, probe.ErrExited) && id != os.Getpid() { // Go may end a thread
			continue
		}
		if err != nil || pid != os.Getpid() {
			t.Errorf("thread %d is of process %d, %v; want %d", id, pid, err, os.Getpid())
		}
	}
	if _, err := probe.ProcessOf(1 << 22); !errors.Is(err, probe.ErrExited) {
		t.Errorf("no process: %v", err)
	}
}
