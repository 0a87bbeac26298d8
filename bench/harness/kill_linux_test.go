package harness_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A benchmark whose database or upstream ended does not pass.
func TestServerEnds(t *testing.T) {
	for i := range 2 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			cmd, stdin, lines, _ := started(t, nil)
			servers := children(t, cmd.Process.Pid)
			if len(servers) != 2 {
				t.Fatalf("%d children, want upstream and database", len(servers))
			}
			if err := unix.PidfdSendSignal(servers[i], unix.SIGKILL, nil, 0); err != nil {
				t.Fatal(err)
			}
			awaitEnd(t, servers[i])
			_ = stdin.Close()
			said, err := io.ReadAll(lines)
			if err != nil {
				t.Fatal(err)
			}
			if cmd.Wait() == nil || strings.Count(string(said), "does not count: ") != 1 {
				t.Errorf("exit code %d, %s", cmd.ProcessState.ExitCode(), said)
			}
			t.Logf("%s", said)
		})
	}
}

// Servers and their files do not outlive a test binary that is killed.
func TestKilledTestBinaryLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	cmd, stdin, _, servers := started(t, []string{"TMPDIR=" + dir})
	defer stdin.Close() // so that only the signal ends it
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

// started runs the test binary again until its servers have the addresses that it returns.
// The end of its input ends it.
func started(t *testing.T, env []string) (cmd *exec.Cmd, stdin io.WriteCloser, stdout *bufio.Reader, servers []string) {
	t.Helper()
	cmd = again(t, "start", env)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdout = bufio.NewReader(out)
	line, err := stdout.ReadString('\n')
	if servers = strings.Fields(line); err != nil || len(servers) != 2 {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("%v, %q", err, line)
	}
	return cmd, stdin, stdout, servers
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
