package affinity_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"floodgate/bench/internal/affinity"
)

// coresOf returns the cores of each thread of a process, as /proc lists them.
func coresOf(t *testing.T, pid int) (all []string) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("no threads of process %d: %v", pid, err)
	}
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		all = append(all, regexp.MustCompile(`(?m)^Cpus_allowed_list:\s*(\S+)$`).FindStringSubmatch(string(status))[1])
	}
	return all
}

func TestStarting(t *testing.T) {
	allowed, err := affinity.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, core := range allowed {
		cmd := exec.Command("cat")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := affinity.Starting(affinity.Cores{core}, cmd.Start); err != nil {
			t.Fatal(err)
		}
		for _, got := range coresOf(t, cmd.Process.Pid) {
			if got != fmt.Sprint(core) {
				t.Errorf("a process started on core %d may run on %s", core, got)
			}
		}
		if now, err := affinity.Allowed(); err != nil || now.String() != allowed.String() {
			t.Errorf("afterwards this thread may run on %v (%v), want %v", now, err, allowed)
		}
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestConfine(t *testing.T) {
	allowed, err := affinity.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := allowed[len(allowed)-1:]
	if err := affinity.Confine(cmd.Process.Pid, last); err != nil {
		t.Fatal(err)
	}
	for _, got := range coresOf(t, cmd.Process.Pid) {
		if got != last.String() {
			t.Errorf("a thread may run on %s, want %v", got, last)
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if err := affinity.Confine(cmd.Process.Pid, last); err == nil {
		t.Error("a process that has ended was confined")
	}
}
