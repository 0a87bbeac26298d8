package probe_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"floodgate/bench/probe"
)

// helperEnv is the environment variable that makes the test binary the watched process.
// Its value holds the addresses of both servers.
const helperEnv = "FLOODGATE_PROBE_HELPER"

func TestMain(m *testing.M) {
	if servers := os.Getenv(helperEnv); servers != "" {
		os.Exit(help(servers))
	}
	goleak.VerifyTestMain(m)
}

// help opens and closes sockets as ordered, and prints the number of open ones after
// each order.
func help(servers string) int {
	var addrs [3]string
	_, _ = fmt.Sscan(servers, &addrs[0], &addrs[1], &addrs[2])
	var open [3][]net.Conn
	var listening []net.Listener // the collector would close those that nothing refers to
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		var server, n int
		if _, err := fmt.Sscan(orders.Text(), &server, &n); err != nil {
			return 1
		}
		if server == listeners {
			for range n {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					return 1
				}
				listening = append(listening, l)
			}
			fmt.Println(0, 0, 0)
			continue
		}
		if server == eventLoops {
			if err := openEventLoops(n); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			fmt.Println(0, 0, 0)
			continue
		}
		for len(open[server]) < n {
			c, err := net.Dial("tcp", addrs[server])
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			open[server] = append(open[server], c)
		}
		for len(open[server]) > n {
			_ = open[server][0].Close()
			open[server] = open[server][1:]
		}
		fmt.Println(len(open[0]), len(open[1]), len(open[2]))
	}
	runtime.KeepAlive(listening)
	return 0
}

// Servers that the helper connects to.
const (
	upstream = iota
	mongo
	elsewhere
	// eventLoops orders the helper to open event loops, which it never closes.
	eventLoops
	// listeners has the helper listen at ports, and accept nothing.
	listeners
)

// watched is a helper process and the servers that it connects to.
type watched struct {
	t      testing.TB
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	target probe.Target
	// elsewhere is the address of the third server.
	elsewhere netip.AddrPort
}

func watch(t testing.TB) *watched {
	t.Helper()
	return watchIn(t, nil)
}

// watchIn starts a helper with attributes of its process.
func watchIn(t testing.TB, attributes *syscall.SysProcAttr) *watched {
	t.Helper()
	var addrs [3]netip.AddrPort
	for i := range addrs {
		addrs[i] = listen(t)
	}
	w := &watched{t: t, cmd: exec.Command(os.Args[0])}
	w.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", helperEnv, addrs[0], addrs[1], addrs[2]))
	w.cmd.Stderr, w.cmd.SysProcAttr = os.Stderr, attributes
	w.stdin, _ = w.cmd.StdinPipe()
	stdout, _ := w.cmd.StdoutPipe()
	w.stdout = bufio.NewReader(stdout)
	if err := w.cmd.Start(); errors.Is(err, fs.ErrPermission) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	w.open(upstream, 0) // wait until it runs
	w.target = probe.Target{PID: w.cmd.Process.Pid, Upstream: addrs[upstream : upstream+1], Mongo: addrs[mongo : mongo+1]}
	w.elsewhere = addrs[elsewhere]
	return w
}

func (w *watched) end() {
	_ = w.stdin.Close()
	_ = w.cmd.Wait()
}

// open orders the helper to hold n connections to a server.
func (w *watched) open(server, n int) {
	w.t.Helper()
	fmt.Fprintln(w.stdin, server, n)
	var inside [3]int
	if _, err := fmt.Fscanln(w.stdout, &inside[0], &inside[1], &inside[2]); err != nil {
		w.t.Fatal(err)
	}
	if server < eventLoops && inside[server] != n {
		w.t.Fatalf("helper has %d connections to server %d, want %d", inside[server], server, n)
	}
}

// listen accepts connections and keeps them open until the end of the test.
func listen(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			conns = append(conns, c)
		}
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func start(t testing.TB, target probe.Target, o probe.Options) *probe.Sampler {
	t.Helper()
	s, err := probe.Start(target, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	return s
}
