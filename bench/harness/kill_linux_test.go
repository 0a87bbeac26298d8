package harness_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Servers and their files do not outlive a test binary that is killed.
func TestKilledTestBinaryLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	cmd := again(t, "start", []string{"TMPDIR=" + dir})
	stdin, err := cmd.StdinPipe() // stays open, so that only the signal ends it
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	servers := strings.Fields(line)
	if err != nil || len(servers) != 2 {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("%v, %q", err, line)
	}
	ends := children(t, cmd.Process.Pid)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if len(ends) != 2 {
		t.Errorf("%d children, want upstream and database", len(ends))
	}
	for _, end := range ends {
		awaitEnd(t, end)
	}
	for _, address := range servers {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			t.Errorf("something still listens on %s", address)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "floodgate-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		// The logs are the dead process's own, for the next start to remove.
		if !strings.HasPrefix(filepath.Base(path), "floodgate-log-") {
			t.Errorf("%s is left", path)
		}
	}
}

// children returns a descriptor of each child process, which is readable after its end.
func children(t *testing.T, pid int) (ends []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(lists) == 0 {
		t.Skipf("the kernel does not list the children of a process: %v", err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) { // a thread that ended meanwhile
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for field := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			fd, err := unix.PidfdOpen(child, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Close(fd) })
			ends = append(ends, fd)
		}
	}
	return ends
}

// awaitEnd returns when the process of a descriptor has ended.
func awaitEnd(t *testing.T, fd int) {
	t.Helper()
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
}
